"""files that are looked up again at fixed times

Revision ID: 0108
Revises: 0107
"""

import sqlalchemy as sa
from alembic import op



revision = '0108'
down_revision = '0107'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'repeats',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('document_id', sa.Integer(), nullable=False),
        sa.Column('user_id', sa.Integer(), nullable=False),
        sa.Column('choice', sa.JSON(), nullable=False),
        sa.Column('source', sa.String(length=40), nullable=False),
        sa.Column('every', sa.String(length=20), nullable=False),
        sa.Column('day', sa.Integer(), nullable=False),
        sa.Column('at_minute', sa.Integer(), nullable=False),
        sa.Column('time_zone', sa.String(length=60), nullable=False),
        sa.Column('next_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('problem', sa.String(length=40), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['document_id'], ['documents.id'], name='fk_repeats_document_id_documents'),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_repeats_user_id_users'),
        sa.PrimaryKeyConstraint('id', name='pk_repeats'),
    )
    op.create_index('ix_repeats_document_id', 'repeats', ['document_id'])
    op.create_index('ix_repeats_user_id', 'repeats', ['user_id'])
    where = sa.text('ended_at IS NULL')
    op.create_index('ix_repeats_due', 'repeats', ['next_at'], sqlite_where=where, postgresql_where=where)
    op.add_column('scraping_jobs', sa.Column('repeat_id', sa.Integer(), nullable=True))
    op.add_column('scraping_jobs', sa.Column('repeat_at', sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for name in ('repeat_at', 'repeat_id'):
        op.drop_column('scraping_jobs', name)
    op.drop_table('repeats')
