"""how many of a job's rejected cells have a number that is excluded or erased, so that there is nothing to fix;
whose money a trial of a source, or a question of a draft, costs

Revision ID: 0139
Revises: 0128
"""

import sqlalchemy as sa
from alembic import op


revision = '0139'
down_revision = '0128'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('scraping_jobs', sa.Column('left_alone_count', sa.Integer(), server_default='0', nullable=False))
    op.execute(
        "UPDATE scraping_jobs SET left_alone_count = (SELECT coalesce(sum(numbers.cells), 0) FROM numbers"
        " WHERE numbers.job_id = scraping_jobs.id AND numbers.reason IN ('excluded', 'erased'))"
        " WHERE rejected_count > 0"
    )
    op.add_column('source_trials', sa.Column('user_id', sa.Integer(), nullable=True))
    op.add_column('draft_samples', sa.Column('user_id', sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column('draft_samples', 'user_id')
    op.drop_column('source_trials', 'user_id')
    op.drop_column('scraping_jobs', 'left_alone_count')
