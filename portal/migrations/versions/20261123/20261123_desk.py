"""the admins' desk: indexes of its list, operations, telephone searches, audit notes, tracebacks

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op


revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None

THERE = "deleted_at IS NULL"
OPEN = "status IN ('failed', 'timeout')"
INDEXES = {
    'ix_jobs_by_created': (['created_at', 'id', 'deleted_at'], THERE),
    'ix_jobs_by_status': (['status', 'created_at', 'id', 'deleted_at'], THERE),
    'ix_jobs_by_user': (['user_id', 'created_at', 'id', 'status', 'deleted_at'], THERE),
    'ix_jobs_by_source': (['source', 'created_at', 'id', 'status', 'deleted_at'], THERE),
    'ix_jobs_by_updated': (['updated_at', 'id'], THERE),
    'ix_jobs_by_name': (['file_name', 'id'], THERE),
    'ix_jobs_open': (['updated_at', 'id', 'last_error', 'next_retry_at', 'status', 'deleted_at'], OPEN),
    'ix_jobs_by_cause': (['last_error', 'updated_at', 'id', 'status', 'next_retry_at', 'deleted_at'], OPEN),
}
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    # What is indexed must be short: PostgreSQL refuses a row with more than 2,700 bytes there.
    op.execute("UPDATE scraping_jobs SET last_error = substr(last_error, 1, 500) WHERE length(last_error) > 500")
    for name, (columns, where) in INDEXES.items():
        op.create_index(name, 'scraping_jobs', columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.add_column('attempts', sa.Column('traceback', sa.Text(), nullable=True))
    op.create_table('audit',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('at', MOMENT, nullable=False),
    sa.Column('admin', sa.String(length=255), nullable=False),
    sa.Column('verb', sa.String(length=40), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('object_id', sa.String(length=40), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('facts', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit'))
    )
    op.create_index('ix_audit_admin_id', 'audit', ['admin', 'id'])
    op.create_table('operations',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('key', sa.String(length=64), nullable=False),
    sa.Column('verb', sa.String(length=20), nullable=False),
    sa.Column('by', sa.String(length=255), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('limits', sa.JSON(), nullable=True),
    sa.Column('selection', sa.JSON(), nullable=True),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('chosen', sa.Integer(), nullable=False),
    sa.Column('done', sa.Integer(), nullable=False),
    sa.Column('skipped', sa.Integer(), nullable=False),
    sa.Column('skipped_why', sa.JSON(), nullable=False),
    sa.Column('up_to_job', sa.Integer(), nullable=False),
    sa.Column('choose_after', sa.Integer(), nullable=True),
    sa.Column('done_up_to', sa.Integer(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('lease_until', MOMENT, nullable=True),
    sa.Column('enqueued_at', MOMENT, nullable=True),
    sa.Column('stop_asked_at', MOMENT, nullable=True),
    sa.Column('created_at', MOMENT, nullable=False),
    sa.Column('started_at', MOMENT, nullable=True),
    sa.Column('ended_at', MOMENT, nullable=True),
    sa.CheckConstraint("verb = 'retry' OR verb = 'time_out' OR verb = 'cancel' OR verb = 'limits'", name=op.f('ck_operations_verb_known')),
    sa.CheckConstraint("state = 'waiting' OR state = 'running' OR state = 'done' OR state = 'stopped'", name=op.f('ck_operations_state_known')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_operations')),
    sa.UniqueConstraint('key', name=op.f('uq_operations_key'))
    )
    under_way = sa.text("state IN ('waiting', 'running')")
    op.create_index('ix_operations_under_way', 'operations', ['enqueued_at'], sqlite_where=under_way, postgresql_where=under_way)
    op.create_table('operation_jobs',
    sa.Column('operation_id', sa.Integer(), nullable=False),
    sa.Column('job_id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('seen_round', sa.Integer(), nullable=False),
    sa.Column('seen_attempt', sa.Integer(), nullable=False),
    sa.Column('skipped_why', sa.String(length=40), nullable=True),
    sa.ForeignKeyConstraint(['operation_id'], ['operations.id'], name=op.f('fk_operation_jobs_operation_id')),
    sa.PrimaryKeyConstraint('operation_id', 'job_id', name=op.f('pk_operation_jobs'))
    )
    op.create_table('phone_searches',
    sa.Column('key', sa.String(length=64), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('e164', sa.String(length=20), nullable=False),
    sa.Column('expires_at', MOMENT, nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_phone_searches_user_id')),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_phone_searches'))
    )
    op.create_index('ix_phone_searches_expires_at', 'phone_searches', ['expires_at'])


def downgrade() -> None:
    for table in ('phone_searches', 'operation_jobs', 'operations', 'audit'):
        op.drop_table(table)
    op.drop_column('attempts', 'traceback')
    for name in INDEXES:
        op.drop_index(name, table_name='scraping_jobs')
