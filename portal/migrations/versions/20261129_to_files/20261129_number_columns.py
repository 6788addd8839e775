"""further columns with numbers

Revision ID: 0080
Revises: 0070
"""

import sqlalchemy as sa
from alembic import op


revision = '0080'
down_revision = '0070'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('scraping_jobs', sa.Column('more_columns', sa.String(length=100), server_default='', nullable=False))


def downgrade() -> None:
    op.drop_column('scraping_jobs', 'more_columns')
