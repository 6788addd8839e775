"""since when a job waits, and attempts in a row that were handed back for the same cause as one row;
how far a worker's clock is off

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op


revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None

INDEXES = {
    'ix_jobs_waits_since': (['waits_since'], "status IN ('pending', 'retrying') AND waits_since IS NOT NULL"),
    'ix_jobs_not_before': (['not_before'], "status IN ('pending', 'retrying') AND not_before IS NOT NULL"),
}


def upgrade() -> None:
    op.add_column('scraping_jobs', sa.Column('waits_since', sa.DateTime(timezone=True), nullable=True))
    op.add_column('workers', sa.Column('skew_seconds', sa.Double(), nullable=True))
    op.add_column('attempts', sa.Column('times', sa.Integer(), server_default='1', nullable=False))
    op.add_column('attempts', sa.Column('idle_seconds', sa.Double(), server_default='0', nullable=False))
    for name, (columns, where) in INDEXES.items():
        op.create_index(name, 'scraping_jobs', columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, table_name='scraping_jobs')
    op.drop_column('workers', 'skew_seconds')
    op.drop_column('attempts', 'idle_seconds')
    op.drop_column('attempts', 'times')
    op.drop_column('scraping_jobs', 'waits_since')
