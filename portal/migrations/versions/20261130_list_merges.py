"""a new list is compared with an earlier one, and takes over its answers

Revision ID: 0137
Revises: 0135
"""

import sqlalchemy as sa
from alembic import op


revision = '0137'
down_revision = '0135'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'list_merges',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('document_id', sa.Integer(), nullable=False),
        sa.Column('before_id', sa.Integer(), nullable=False),
        sa.Column('is_started', sa.Boolean(), nullable=False),
        sa.Column('state', sa.String(length=20), nullable=False),
        sa.Column('problem', sa.String(length=20), nullable=True),
        sa.Column('choice', sa.JSON(), nullable=False),
        sa.Column('compared', sa.String(length=64), nullable=False),
        sa.Column('column', sa.Integer(), nullable=True),
        sa.Column('before_column', sa.Integer(), nullable=True),
        sa.Column('options', sa.JSON(), nullable=False),
        sa.Column('counts', sa.JSON(), nullable=False),
        sa.Column('asks', sa.String(length=20), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('compared_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('tries', sa.Integer(), nullable=False),
        sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state = 'waiting' OR state = 'ready' OR state = 'refused'", name=op.f('ck_list_merges_state_known')
        ),
        sa.ForeignKeyConstraint(['document_id'], ['documents.id'], name=op.f('fk_list_merges_document_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_list_merges')),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f('ix_list_merges_document_id'), 'list_merges', ['document_id'])
    op.create_table(
        'list_changes',
        sa.Column('merge_id', sa.Integer(), nullable=False),
        sa.Column('of_before', sa.Boolean(), nullable=False),
        sa.Column('row_no', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('kind', sa.String(length=20), nullable=False),
        sa.Column('before', sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(['merge_id'], ['list_merges.id'], name=op.f('fk_list_changes_merge_id')),
        sa.PrimaryKeyConstraint('merge_id', 'of_before', 'row_no', name=op.f('pk_list_changes')),
    )
    op.add_column('scraping_jobs', sa.Column('merge_id', sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column('scraping_jobs', 'merge_id')
    op.drop_table('list_changes')
    op.drop_table('list_merges')
