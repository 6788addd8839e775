"""jobs whose ledger a worker opens, and how far it has come

Revision ID: 0095
Revises: 0098
"""

import sqlalchemy as sa
from alembic import op


revision = '0095'
down_revision = '0098'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'openings',
        sa.Column('job_id', sa.Integer(), nullable=False),
        sa.Column('row_no', sa.Integer(), nullable=False),
        sa.Column('cells', sa.Integer(), nullable=False),
        sa.Column('invalid', sa.Integer(), nullable=False),
        sa.Column('corrections', sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(['job_id'], ['scraping_jobs.id'], name=op.f('fk_openings_job_id_scraping_jobs')),
        sa.PrimaryKeyConstraint('job_id', name=op.f('pk_openings')),
    )


def downgrade() -> None:
    op.drop_table('openings')
