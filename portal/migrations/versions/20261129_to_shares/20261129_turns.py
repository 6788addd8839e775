"""people take turns: a job that an administrator puts first, and an index of the waiting jobs by person

Revision ID: 0051
Revises: 0050
"""

import sqlalchemy as sa
from alembic import op

from portal.migrations.indexes import create_index


revision = '0051'
down_revision = '0050'
branch_labels = None
depends_on = None

WAITING = "status IN ('pending', 'retrying') AND paused_at IS NULL"


def upgrade() -> None:
    there = {column['name'] for column in sa.inspect(op.get_bind()).get_columns('scraping_jobs')}
    if 'put_first_at' not in there:  # the index commits it, and may be built a second time
        op.add_column('scraping_jobs', sa.Column('put_first_at', sa.DateTime(timezone=True), nullable=True))
    create_index('ix_jobs_in_turn', 'scraping_jobs', ['user_id'], where=WAITING)


def downgrade() -> None:
    op.drop_index('ix_jobs_in_turn', table_name='scraping_jobs')
    op.drop_column('scraping_jobs', 'put_first_at')
