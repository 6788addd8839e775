"""tickets: batches that a source has taken and not answered yet

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op


revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('tickets',
    sa.Column('job_id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=32), nullable=False),
    sa.Column('source', sa.String(length=40), nullable=False),
    sa.Column('version', sa.String(length=80), nullable=False),
    sa.Column('ticket', sa.Text(), nullable=True),
    sa.Column('numbers', sa.JSON(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('handed_in_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['job_id'], ['scraping_jobs.id'], name=op.f('fk_tickets_job_id')),
    sa.PrimaryKeyConstraint('job_id', 'key', name=op.f('pk_tickets'))
    )


def downgrade() -> None:
    op.drop_table('tickets')
