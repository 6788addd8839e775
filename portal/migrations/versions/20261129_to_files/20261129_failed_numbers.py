"""an index of the numbers without an answer, for the pages of jobs with a million of others

Revision ID: 0096
Revises: 0109
"""

from alembic import op

from portal.migrations.indexes import create_index


revision = '0096'
down_revision = '0109'
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index('ix_numbers_failed', 'numbers', ['job_id', 'attempt', 'no'], where="outcome IN ('failed')")


def downgrade() -> None:
    op.drop_index('ix_numbers_failed', table_name='numbers')
