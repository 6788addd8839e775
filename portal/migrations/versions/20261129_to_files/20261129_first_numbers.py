"""the number after which a job pauses, so that its person can look at the first answers

Revision ID: 0107
Revises: 0094
"""

import sqlalchemy as sa
from alembic import op


revision = '0107'
down_revision = '0094'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('scraping_jobs', sa.Column('pause_after', sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column('scraping_jobs', 'pause_after')
