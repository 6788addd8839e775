"""what each number, and each job, has cost at its source, in billionths of the source's currency

Revision ID: 0104
Revises: 0095
"""

import sqlalchemy as sa
from alembic import op


revision = '0104'
down_revision = '0095'
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ('numbers', 'scraping_jobs'):
        op.add_column(table, sa.Column('cost', sa.BigInteger(), server_default='0', nullable=False))


def downgrade() -> None:
    for table in ('scraping_jobs', 'numbers'):
        op.drop_column(table, 'cost')
