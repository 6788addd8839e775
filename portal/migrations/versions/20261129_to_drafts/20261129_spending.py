"""what was spent and reserved in each month, the caps, and a job's own cap and currency

Revision ID: 0125
Revises: 0123
"""

import sqlalchemy as sa
from alembic import op


revision = '0125'
down_revision = '0123'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'spending',
        sa.Column('month', sa.String(length=7), nullable=False),
        sa.Column('user_id', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('source', sa.String(length=40), nullable=False),
        sa.Column('currency', sa.String(length=8), nullable=False),
        sa.Column('spent', sa.BigInteger(), server_default='0', nullable=False),
        sa.Column('unsure', sa.BigInteger(), server_default='0', nullable=False),
        sa.Column('reserved', sa.BigInteger(), server_default='0', nullable=False),
        sa.PrimaryKeyConstraint('month', 'user_id', 'source', 'currency', name=op.f('pk_spending')),
    )
    op.create_table(
        'reservations',
        sa.Column('job_id', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('attempt', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('token', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('month', sa.String(length=7), nullable=False),
        sa.Column('user_id', sa.Integer(), nullable=False),
        sa.Column('source', sa.String(length=40), nullable=False),
        sa.Column('currency', sa.String(length=8), nullable=False),
        sa.Column('most', sa.BigInteger(), nullable=False),
        sa.Column('amount', sa.BigInteger(), server_default='0', nullable=False),
        sa.Column('at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('job_id', 'attempt', 'token', name=op.f('pk_reservations')),
    )
    op.create_table(
        'spending_caps',
        sa.Column('scope', sa.String(length=20), nullable=False),
        sa.Column('whose', sa.String(length=40), nullable=False),
        sa.Column('currency', sa.String(length=8), nullable=False),
        sa.Column('amount', sa.BigInteger(), nullable=False),
        sa.Column('set_by', sa.String(length=255), nullable=False),
        sa.Column('set_at', sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("scope = 'person' OR scope = 'source' OR scope = 'portal'", name=op.f('ck_spending_caps_scope_known')),
        sa.PrimaryKeyConstraint('scope', 'whose', 'currency', name=op.f('pk_spending_caps')),
    )
    op.add_column('scraping_jobs', sa.Column('cost_unsure', sa.BigInteger(), server_default='0', nullable=False))
    op.add_column('scraping_jobs', sa.Column('cost_cap', sa.BigInteger(), nullable=True))
    op.add_column('scraping_jobs', sa.Column('currency', sa.String(length=8), server_default='', nullable=False))
    op.add_column('scraping_jobs', sa.Column('known_days', sa.Integer(), nullable=True))


def downgrade() -> None:
    for column in ('known_days', 'currency', 'cost_cap', 'cost_unsure'):
        op.drop_column('scraping_jobs', column)
    for table in ('spending_caps', 'reservations', 'spending'):
        op.drop_table(table)
