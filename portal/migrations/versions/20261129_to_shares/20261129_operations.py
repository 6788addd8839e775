"""Retention of the history, refused email addresses, a renewed webhook key, and trials of one number

Revision ID: 0020
Revises: 0010

"""

import sqlalchemy as sa
from alembic import op


revision = '0020'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index('ix_attempts_started_at', 'attempts', ['started_at'])
    op.create_index(
        'ix_scraping_jobs_deleted_at', 'scraping_jobs', ['deleted_at'],
        sqlite_where=sa.text('deleted_at IS NOT NULL'), postgresql_where=sa.text('deleted_at IS NOT NULL'),
    )
    op.create_index(
        'ix_documents_erased', 'documents', ['deleted_at'],
        sqlite_where=sa.text('erased_at IS NOT NULL'), postgresql_where=sa.text('erased_at IS NOT NULL'),
    )
    op.create_table('mail_refusals',
    sa.Column('address', sa.String(length=255), nullable=False),
    sa.Column('answer', sa.Text(), nullable=False),
    sa.Column('refused_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('address', name=op.f('pk_mail_refusals'))
    )
    op.add_column('notice_settings', sa.Column('webhook_old_secret', sa.String(length=80), nullable=True))
    op.add_column('notice_settings', sa.Column('webhook_old_until', sa.DateTime(timezone=True), nullable=True))
    op.create_table('source_trials',
    sa.Column('token', sa.String(length=64), nullable=False),
    sa.Column('source', sa.String(length=40), nullable=False),
    sa.Column('number', sa.String(length=20), nullable=False),
    sa.Column('asked_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('taken_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('trial', sa.JSON(), nullable=True),
    sa.PrimaryKeyConstraint('token', name=op.f('pk_source_trials'))
    )


def downgrade() -> None:
    op.drop_table('source_trials')
    op.drop_column('notice_settings', 'webhook_old_until')
    op.drop_column('notice_settings', 'webhook_old_secret')
    op.drop_table('mail_refusals')
    op.drop_index('ix_documents_erased', table_name='documents')
    op.drop_index('ix_scraping_jobs_deleted_at', table_name='scraping_jobs')
    op.drop_index('ix_attempts_started_at', table_name='attempts')
