"""an index of the numbers that were excluded, for the pages of jobs with a million of others

Revision ID: 0133
Revises: 0132
"""

from alembic import op

from portal.migrations.indexes import create_index


revision = '0133'
down_revision = '0132'
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index('ix_numbers_excluded', 'numbers', ['job_id'], where="reason = 'excluded'")


def downgrade() -> None:
    op.drop_index('ix_numbers_excluded', table_name='numbers')
