"""sources: why a job waits, answers that could not be used, what came in by the minute, kept answers by age

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op


revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

OUTCOMES = ('found', 'not_found', 'invalid', 'rejected', 'waiting', 'failed')


def upgrade() -> None:
    op.add_column('scraping_jobs', sa.Column('wait_cause', sa.String(length=40), nullable=True))
    op.create_table('answer_samples',
    sa.Column('job_id', sa.Integer(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('nth', sa.Integer(), nullable=False),
    sa.Column('row_no', sa.Integer(), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('status', sa.Integer(), nullable=False),
    sa.Column('why', sa.String(length=200), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['job_id'], ['scraping_jobs.id'], name=op.f('fk_answer_samples_job_id')),
    sa.PrimaryKeyConstraint('job_id', 'attempt', 'nth', name=op.f('pk_answer_samples'))
    )
    op.create_table('source_minutes',
    sa.Column('source', sa.String(length=40), nullable=False),
    sa.Column('minute', sa.DateTime(timezone=True), nullable=False),
    sa.Column('outcome', sa.String(length=20), nullable=False),
    sa.Column('n', sa.Integer(), nullable=False),
    sa.CheckConstraint(' OR '.join(f"outcome = '{word}'" for word in OUTCOMES), name=op.f('ck_source_minutes_outcome_known')),
    sa.PrimaryKeyConstraint('source', 'minute', 'outcome', name=op.f('pk_source_minutes'))
    )
    op.create_index('ix_source_minutes_minute', 'source_minutes', ['minute'])
    op.create_index('ix_cached_answers_source_answered_at', 'cached_answers', ['source', 'answered_at'])
    op.drop_index('ix_cached_answers_answered_at', table_name='cached_answers')


def downgrade() -> None:
    op.create_index('ix_cached_answers_answered_at', 'cached_answers', ['answered_at'])
    op.drop_index('ix_cached_answers_source_answered_at', table_name='cached_answers')
    op.drop_index('ix_source_minutes_minute', table_name='source_minutes')
    op.drop_table('source_minutes')
    op.drop_table('answer_samples')
    op.drop_column('scraping_jobs', 'wait_cause')
