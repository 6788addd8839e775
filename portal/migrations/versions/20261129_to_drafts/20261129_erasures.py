"""numbers that were erased everywhere

Revision ID: 0131
Revises: 0120
"""

import sqlalchemy as sa
from alembic import op


revision = '0131'
down_revision = '0120'
branch_labels = None
depends_on = None


def upgrade() -> None:
    states = ('numbers', 'files', 'texts', 'check', 'disk', 'done')
    op.create_table(
        'erasures',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('key', sa.String(length=64), nullable=False),
        sa.Column('e164', sa.String(length=20), nullable=True),
        sa.Column('by', sa.String(length=255), nullable=False),
        sa.Column('reason', sa.Text(), nullable=True),
        sa.Column('state', sa.String(length=20), nullable=False),
        sa.Column('after_id', sa.Integer(), nullable=False),
        sa.Column('cells', sa.Integer(), nullable=False),
        sa.Column('files', sa.Integer(), nullable=False),
        sa.Column('kept', sa.Integer(), nullable=False),
        sa.Column('others', sa.Integer(), nullable=False),
        sa.Column('attempt', sa.Integer(), nullable=False),
        sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(' OR '.join(f"state = '{state}'" for state in states), name=op.f('ck_erasures_state_known')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_erasures')),
        sa.UniqueConstraint('key', name=op.f('uq_erasures_key')),
    )
    under_way = sa.text('ended_at IS NULL')
    op.create_index('ix_erasures_under_way', 'erasures', ['id'], sqlite_where=under_way, postgresql_where=under_way)
    op.create_table(
        'replaced_files',
        sa.Column('storage_key', sa.String(length=64), nullable=False),
        sa.Column('at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('gone_at', sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint('storage_key', name=op.f('pk_replaced_files')),
    )
    op.create_index('ix_replaced_files_at', 'replaced_files', ['at'])


def downgrade() -> None:
    op.drop_table('replaced_files')
    op.drop_table('erasures')
