"""figures of jobs that ended, and how long files are kept

The sums begin empty: the sweep counts the jobs that are there, some thousands a pass.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op


revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
COLUMNS = {'scraping_jobs': ('ended_at', 'expired_at'), 'documents': ('erased_at',)}
INDEXES = {
    'ix_jobs_going_on': ('scraping_jobs', ['status', 'user_id', 'deleted_at', 'ended_at'], "ended_at IS NULL AND deleted_at IS NULL"),
    'ix_jobs_uncounted': ('scraping_jobs', ['id'], "status IN ('completed', 'failed', 'timeout', 'cancelled') AND next_retry_at IS NULL AND ended_at IS NULL"),
    'ix_jobs_reopened': ('scraping_jobs', ['id'], "status IN ('pending', 'processing', 'retrying') AND ended_at IS NOT NULL"),
    'ix_jobs_to_expire': ('scraping_jobs', ['user_id', 'ended_at', 'deleted_at'], "ended_at IS NOT NULL AND deleted_at IS NULL"),
    'ix_documents_there': ('documents', ['user_id', 'created_at'], "deleted_at IS NULL"),
    'ix_documents_to_erase': ('documents', ['id'], "deleted_at IS NOT NULL AND erased_at IS NULL"),
}
STATUSES = ('pending', 'processing', 'completed', 'failed', 'timeout', 'retrying', 'cancelled')
KNOWN = ' OR '.join(f"outcome = '{status}'" for status in STATUSES)


def upgrade() -> None:
    for table, names in COLUMNS.items():
        for name in names:
            op.add_column(table, sa.Column(name, MOMENT, nullable=True))
    op.add_column('users', sa.Column('retention_days', sa.Integer(), nullable=True))
    for name, (table, columns, where) in INDEXES.items():
        op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.create_table('job_ends',
    sa.Column('job_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('source', sa.String(length=40), nullable=False),
    sa.Column('outcome', sa.String(length=20), nullable=False),
    sa.Column('ended_at', MOMENT, nullable=False),
    *(sa.Column(name, sa.Integer(), nullable=False) for name in ('found', 'not_found', 'invalid', 'rejected', 'failed', 'waiting')),
    *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ('worked_ms', 'elapsed_ms')),
    sa.Column('retries', sa.Integer(), nullable=False),
    sa.CheckConstraint(KNOWN, name=op.f('ck_job_ends_outcome_known')),
    sa.PrimaryKeyConstraint('job_id', name=op.f('pk_job_ends'))
    )
    op.create_table('figures',
    *_keys(),
    sa.Column('outcome', sa.String(length=20), nullable=False),
    sa.Column('jobs', sa.Integer(), nullable=False),
    *(sa.Column(name, sa.BigInteger(), nullable=False) for name in (
        'found', 'not_found', 'invalid', 'rejected', 'failed', 'waiting', 'worked_ms', 'elapsed_ms')),
    sa.Column('retries', sa.Integer(), nullable=False),
    sa.Column('deleted_jobs', sa.Integer(), nullable=False),
    sa.CheckConstraint(KNOWN, name=op.f('ck_figures_outcome_known')),
    sa.PrimaryKeyConstraint('user_id', 'grain', 'day', 'part', 'source', 'outcome', name=op.f('pk_figures')),
    sqlite_with_rowid=False
    )
    op.create_table('figure_spreads',
    *_keys(),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('bin', sa.SmallInteger(), autoincrement=False, nullable=False),
    sa.Column('jobs', sa.Integer(), nullable=False),
    sa.CheckConstraint("kind = 'time' OR kind = 'retries'", name=op.f('ck_figure_spreads_kind_known')),
    sa.PrimaryKeyConstraint('user_id', 'grain', 'day', 'part', 'source', 'kind', 'bin', name=op.f('pk_figure_spreads')),
    sqlite_with_rowid=False
    )


def _keys() -> list[sa.Column]:
    return [
        sa.Column('user_id', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('grain', sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column('day', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('part', sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column('source', sa.String(length=40), nullable=False),
    ]


def downgrade() -> None:
    for table in ('figure_spreads', 'figures', 'job_ends'):
        op.drop_table(table)
    for name, (table, _, _) in INDEXES.items():
        op.drop_index(name, table_name=table)
    op.drop_column('users', 'retention_days')
    for table, names in COLUMNS.items():
        for name in names:
            op.drop_column(table, name)
