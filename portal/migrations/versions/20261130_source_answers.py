"""what each of the several sources of a file has said, for the statistics, and the limit of a repeated file

Revision ID: 0143
Revises: 0146
"""

import sqlalchemy as sa
from alembic import op


revision = '0143'
down_revision = '0146'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'figure_answers',
        sa.Column('user_id', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('grain', sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column('day', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('part', sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column('source', sa.String(length=40), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ('found', 'not_found', 'invalid', 'rejected', 'failed')
        ),
        sa.PrimaryKeyConstraint('user_id', 'grain', 'day', 'part', 'source', name=op.f('pk_figure_answers')),
        sqlite_with_rowid=False,
    )
    op.add_column('repeats', sa.Column('cost_cap', sa.BigInteger(), nullable=True))
    op.add_column('job_ends', sa.Column('answers', sa.JSON(), server_default='[]', nullable=False))


def downgrade() -> None:
    op.drop_column('repeats', 'cost_cap')
    op.drop_column('job_ends', 'answers')
    op.drop_table('figure_answers')
