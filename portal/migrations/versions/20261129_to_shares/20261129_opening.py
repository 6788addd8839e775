"""jobs whose ledger is being opened

Revision ID: 0030
Revises: 0020
"""

from alembic import op

from portal.migrations.indexes import create_index

revision = '0030'
down_revision = '0020'
branch_labels = None
depends_on = None

HIDDEN = 'deleted_at IS NOT NULL AND total_numbers = 0'


def upgrade() -> None:
    create_index('ix_jobs_hidden', 'scraping_jobs', ['created_at'], where=HIDDEN)


def downgrade() -> None:
    op.drop_index('ix_jobs_hidden', table_name='scraping_jobs')
