"""how many of a job's invalid cells are blank, so that there is nothing to fix

Revision ID: 0140
Revises: 0137
"""

import sqlalchemy as sa
from alembic import op


revision = '0140'
down_revision = '0137'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('scraping_jobs', sa.Column('blank_count', sa.Integer(), server_default='0', nullable=False))
    op.add_column('openings', sa.Column('blank', sa.Integer(), server_default='0', nullable=False))


def downgrade() -> None:
    op.drop_column('openings', 'blank')
    op.drop_column('scraping_jobs', 'blank_count')
