"""finding the job that a repeat has started for a time

Revision ID: 0109
Revises: 0108
"""

from alembic import op

from portal.migrations.indexes import create_index


revision = '0109'
down_revision = '0108'
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index('ix_jobs_of_repeat', 'scraping_jobs', ['repeat_id', 'repeat_at'], where='repeat_id IS NOT NULL')


def downgrade() -> None:
    op.drop_index('ix_jobs_of_repeat', table_name='scraping_jobs')
