"""sources: answers that are kept, pauses, jobs by source

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('cached_answers',
    sa.Column('source', sa.String(length=40), nullable=False),
    sa.Column('e164', sa.String(length=20), nullable=False),
    sa.Column('version', sa.String(length=80), nullable=False),
    sa.Column('outcome', sa.String(length=20), nullable=False),
    sa.Column('reason', sa.String(length=40), nullable=True),
    sa.Column('fields', sa.JSON(), nullable=True),
    sa.Column('answered_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("outcome IN ('found', 'not_found', 'invalid', 'rejected', 'waiting', 'failed')", name=op.f('ck_cached_answers_outcome_known')),
    sa.PrimaryKeyConstraint('source', 'e164', name=op.f('pk_cached_answers'))
    )
    op.create_index('ix_cached_answers_answered_at', 'cached_answers', ['answered_at'])
    op.create_table('source_pauses',
    sa.Column('source', sa.String(length=40), nullable=False),
    sa.Column('paused_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('paused_by', sa.String(length=255), nullable=False),
    sa.Column('why', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('source', name=op.f('pk_source_pauses'))
    )
    op.create_index('ix_jobs_of_source', 'scraping_jobs', ['source', 'updated_at'])


def downgrade() -> None:
    op.drop_index('ix_jobs_of_source', table_name='scraping_jobs')
    op.drop_table('source_pauses')
    op.drop_index('ix_cached_answers_answered_at', table_name='cached_answers')
    op.drop_table('cached_answers')
