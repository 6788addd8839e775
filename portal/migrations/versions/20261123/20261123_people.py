"""workers that are there; what each person may use, and when they were last seen

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op


revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('workers',
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('host', sa.String(length=80), nullable=False),
    sa.Column('pid', sa.Integer(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('doing', sa.String(length=60), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("kind = 'intake' OR kind = 'scrape' OR kind = 'sweep' OR kind = 'scheduler'", name=op.f('ck_workers_kind_known')),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_workers'))
    )
    op.create_index('ix_workers_kind_seen_at', 'workers', ['kind', 'seen_at'])
    op.add_column('users', sa.Column('seen_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('users', sa.Column('max_rows', sa.Integer(), nullable=True))
    op.add_column('users', sa.Column('files_per_day', sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column('users', 'files_per_day')
    op.drop_column('users', 'max_rows')
    op.drop_column('users', 'seen_at')
    op.drop_index('ix_workers_kind_seen_at', table_name='workers')
    op.drop_table('workers')
