"""how closely a number is suspected of stopping the process that looks it up

Revision ID: 0094
Revises: 0092
"""

import sqlalchemy as sa
from alembic import op


revision = '0094'
down_revision = '0092'
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ('numbers', 'shares'):
        op.add_column(table, sa.Column('suspicion', sa.Integer(), server_default='0', nullable=False))


def downgrade() -> None:
    for table in ('shares', 'numbers'):
        op.drop_column(table, 'suspicion')
