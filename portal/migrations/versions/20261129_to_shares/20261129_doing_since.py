"""since when a worker process has been doing what it does

Revision ID: 0041
Revises: 0040
"""

import sqlalchemy as sa
from alembic import op


revision = '0041'
down_revision = '0040'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('workers', sa.Column('doing_since', sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column('workers', 'doing_since')
