"""the column that names the country of each row's numbers, as its person chose it for a job

Revision ID: 0092
Revises: 0085
"""

import sqlalchemy as sa
from alembic import op


revision = '0092'
down_revision = '0085'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('scraping_jobs', sa.Column('country_column', sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column('scraping_jobs', 'country_column')
