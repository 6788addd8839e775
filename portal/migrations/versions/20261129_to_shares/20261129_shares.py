"""several workers on one attempt: who holds it, and which numbers each of them has

Revision ID: 0070
Revises: 0061
"""

import sqlalchemy as sa
from alembic import op


revision = '0070'
down_revision = '0061'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'holders',
        sa.Column('job_id', sa.Integer(), nullable=False),
        sa.Column('attempt', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('token', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('worker', sa.String(length=80), nullable=False),
        sa.Column('joined_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('lease_until', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['job_id'], ['scraping_jobs.id'], name=op.f('fk_holders_job_id_scraping_jobs')),
        sa.PrimaryKeyConstraint('job_id', 'attempt', 'token', name=op.f('pk_holders')),
    )
    op.create_table(
        'shares',
        sa.Column('job_id', sa.Integer(), nullable=False),
        sa.Column('attempt', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('first_no', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('last_no', sa.Integer(), nullable=False),
        sa.Column('holder', sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(['job_id'], ['scraping_jobs.id'], name=op.f('fk_shares_job_id_scraping_jobs')),
        sa.PrimaryKeyConstraint('job_id', 'attempt', 'first_no', name=op.f('pk_shares')),
    )
    op.add_column('scraping_jobs', sa.Column('next_no', sa.Integer(), nullable=True))
    op.add_column('scraping_jobs', sa.Column('last_token', sa.Integer(), server_default='0', nullable=False))


def downgrade() -> None:
    op.drop_column('scraping_jobs', 'last_token')
    op.drop_column('scraping_jobs', 'next_no')
    op.drop_table('shares')
    op.drop_table('holders')
