"""a person's files: the trash, their notes and labels, what a search looks in, and which documents were never started

Revision ID: 0098
Revises: 0096
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

from portal.migrations.indexes import create_index


revision = '0098'
down_revision = '0096'
branch_labels = None
depends_on = None

LONGEST = 600
BATCH = 5000
THERE = 'deleted_at IS NULL'
STOPPED = "status IN ('failed', 'timeout') AND next_retry_at IS NULL AND deleted_at IS NULL"
IN_TRASH = 'purge_at IS NOT NULL'
INDEXES = [
    ('ix_documents_not_started', 'documents', ['user_id', 'created_at', 'id'], f'{THERE} AND first_job_at IS NULL'),
    ('ix_documents_in_trash', 'documents', ['user_id', 'purge_at'], IN_TRASH),
    ('ix_documents_to_purge', 'documents', ['purge_at'], IN_TRASH),
    ('ix_jobs_stopped', 'scraping_jobs', ['user_id', 'created_at', 'id'], STOPPED),
    ('ix_jobs_of_user_status', 'scraping_jobs', ['user_id', 'status', 'created_at', 'id', 'search_text'], THERE),
    ('ix_jobs_of_user_name', 'scraping_jobs', ['user_id', 'search_text', 'id'], THERE),
    ('ix_jobs_of_user_text', 'scraping_jobs', ['user_id', 'created_at', 'id', 'search_text'], THERE),
    ('ix_jobs_in_trash', 'scraping_jobs', ['user_id', 'purge_at'], IN_TRASH),
    ('ix_jobs_to_purge', 'scraping_jobs', ['purge_at'], IN_TRASH),
]


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    folded = sa.String(LONGEST).with_variant(sa.String(LONGEST, collation='C'), 'postgresql')
    for table in ('documents', 'scraping_jobs'):
        # The indexes commit what was done, and may be built a second time.
        there = {column['name'] for column in sa.inspect(op.get_bind()).get_columns(table)}
        if 'purge_at' in there:
            continue
        op.add_column(table, sa.Column('purge_at', moment, nullable=True))
        op.add_column(table, sa.Column('note', sa.String(200), server_default='', nullable=False))
        op.add_column(table, sa.Column('labels', sa.JSON(), server_default='[]', nullable=False))
        op.add_column(table, sa.Column('search_text', folded, server_default='', nullable=False))
        _fill_search_text(table)
        if table == 'documents':
            op.add_column(table, sa.Column('first_job_at', moment, nullable=True))
            op.execute(
                'UPDATE documents SET first_job_at = (SELECT min(created_at) FROM scraping_jobs'
                ' WHERE scraping_jobs.document_id = documents.id AND total_numbers > 0)'
            )
    for name, table, columns, where in INDEXES:
        create_index(name, table, columns, where=where)


def _fold(text: str) -> str:
    apart = unicodedata.normalize('NFKD', text).casefold()
    return ''.join(one for one in apart if not unicodedata.combining(one))[:LONGEST]


def _fill_search_text(table: str) -> None:
    """Databases fold letters each in its own way, so it is done here."""
    connection = op.get_bind()
    if connection.dialect.name == 'sqlite':
        connection.connection.driver_connection.create_function('fold', 1, _fold, deterministic=True)
        connection.execute(sa.text(f'UPDATE {table} SET search_text = fold(file_name)'))
        return
    some = sa.text(f'SELECT id, file_name FROM {table} WHERE id > :after ORDER BY id LIMIT {BATCH}')
    written = sa.text(
        f'UPDATE {table} SET search_text = given.folded'
        ' FROM unnest(CAST(:ids AS integer[]), CAST(:texts AS text[])) AS given(id, folded)'
        f' WHERE {table}.id = given.id'
    )
    after = 0
    while rows := connection.execute(some, {'after': after}).all():
        ids, texts = [row.id for row in rows], [_fold(row.file_name) for row in rows]
        connection.execute(written, {'ids': ids, 'texts': texts})
        after = ids[-1]


def downgrade() -> None:
    for name, table, _, _ in INDEXES:
        op.drop_index(name, table_name=table)
    op.drop_column('documents', 'first_job_at')
    for table in ('documents', 'scraping_jobs'):
        for column in ('search_text', 'labels', 'note', 'purge_at'):
            op.drop_column(table, column)
