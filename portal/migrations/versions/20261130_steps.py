"""several sources for one file: the steps of a job, and at which of them each number is

Revision ID: 0135
Revises: 0139
"""

import sqlalchemy as sa
from alembic import op


revision = '0135'
down_revision = '0139'
branch_labels = None
depends_on = None

COUNTERS = ('arrived', 'found', 'not_found', 'invalid', 'rejected', 'failed')


def upgrade() -> None:
    rules = ('first', 'not_found', 'no_answer', 'beside')
    op.create_table(
        'job_steps',
        sa.Column('job_id', sa.Integer(), nullable=False),
        sa.Column('step', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('source', sa.String(length=40), nullable=False),
        sa.Column('rule', sa.String(length=20), nullable=False),
        sa.Column('cost_cap', sa.BigInteger(), nullable=True),
        sa.Column('cost', sa.BigInteger(), server_default='0', nullable=False),
        sa.Column('cost_unsure', sa.BigInteger(), server_default='0', nullable=False),
        sa.Column('source_versions', sa.String(length=200), server_default='', nullable=False),
        *(sa.Column(name, sa.Integer(), server_default='0', nullable=False) for name in COUNTERS),
        sa.CheckConstraint(' OR '.join(f"rule = '{rule}'" for rule in rules), name=op.f('ck_job_steps_rule_known')),
        sa.ForeignKeyConstraint(['job_id'], ['scraping_jobs.id'], name=op.f('fk_job_steps_job_id_scraping_jobs')),
        sa.PrimaryKeyConstraint('job_id', 'step', name=op.f('pk_job_steps')),
    )
    op.add_column('scraping_jobs', sa.Column('step', sa.Integer(), server_default='1', nullable=False))
    op.add_column('scraping_jobs', sa.Column('chain', sa.String(length=200), server_default='', nullable=False))
    op.add_column('scraping_jobs', sa.Column('passed_on', sa.Integer(), server_default='0', nullable=False))
    op.add_column('numbers', sa.Column('step', sa.Integer(), server_default='1', nullable=False))
    op.add_column('numbers', sa.Column('by_step', sa.JSON(), nullable=True))
    op.add_column('repeats', sa.Column('then', sa.JSON(), server_default='[]', nullable=False))


def downgrade() -> None:
    op.drop_column('repeats', 'then')
    op.drop_column('numbers', 'by_step')
    op.drop_column('numbers', 'step')
    for column in ('passed_on', 'chain', 'step'):
        op.drop_column('scraping_jobs', column)
    op.drop_table('job_steps')
