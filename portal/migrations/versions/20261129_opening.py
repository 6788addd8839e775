"""jobs whose ledger is being opened

Revision ID: 0030
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op


revision = '0030'
down_revision = '0020'
branch_labels = None
depends_on = None

HIDDEN = sa.text('deleted_at IS NOT NULL AND total_numbers = 0')


def upgrade() -> None:
    op.create_index(
        'ix_jobs_hidden', 'scraping_jobs', ['created_at'], sqlite_where=HIDDEN, postgresql_where=HIDDEN,
    )


def downgrade() -> None:
    op.drop_index('ix_jobs_hidden', table_name='scraping_jobs')
