"""notices by several channels, digests, what each person wants to be told

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op


revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

CHANNELS = "channel = 'mail' OR channel = 'chat' OR channel = 'webhook'"
STATES = "state = 'due' OR state = 'sending' OR state = 'sent' OR state = 'dead' OR state = 'folded' OR state = 'dropped'"
STATES_BEFORE = "state = 'due' OR state = 'sending' OR state = 'sent' OR state = 'dead'"
TO_SEND = sa.text("state IN ('due', 'sending')")


def upgrade() -> None:
    op.create_table('notice_settings',
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('tell_failed', sa.Boolean(), nullable=False),
    sa.Column('tell_completed', sa.Boolean(), nullable=False),
    sa.Column('tell_sources', sa.Boolean(), nullable=False),
    sa.Column('daily_summary', sa.Boolean(), nullable=False),
    sa.Column('webhook_url', sa.Text(), nullable=True),
    sa.Column('webhook_secret', sa.String(length=80), nullable=True),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_notice_settings_user_id')),
    sa.PrimaryKeyConstraint('user_id', name=op.f('pk_notice_settings'))
    )
    op.create_table('notice_bursts',
    sa.Column('key', sa.String(length=60), nullable=False),
    sa.Column('until', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_notice_bursts'))
    )
    op.drop_index('ix_notices_to_send', table_name='notices')
    with op.batch_alter_table('notices') as batch_op:
        batch_op.drop_constraint(op.f('ck_notices_state_known'), type_='check')
        batch_op.add_column(sa.Column('channel', sa.String(length=20), nullable=False, server_default='mail'))
        batch_op.add_column(sa.Column('answer', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('digest_id', sa.Integer(), nullable=True))
        batch_op.alter_column('user_id', existing_type=sa.Integer(), nullable=True)
        batch_op.alter_column('dedupe', existing_type=sa.String(length=80), type_=sa.String(length=160))
        batch_op.create_foreign_key(op.f('fk_notices_digest_id'), 'notices', ['digest_id'], ['id'])
        batch_op.create_check_constraint(op.f('ck_notices_state_known'), STATES)
        batch_op.create_check_constraint(op.f('ck_notices_channel_known'), CHANNELS)
    op.create_index('ix_notices_to_send', 'notices', ['due_at'], sqlite_where=TO_SEND, postgresql_where=TO_SEND)
    op.create_index(op.f('ix_notices_digest_id'), 'notices', ['digest_id'])
    op.create_index('ix_notices_state_id', 'notices', ['state', 'id'])


def downgrade() -> None:
    op.execute("DELETE FROM notices WHERE channel <> 'mail' OR user_id IS NULL OR state IN ('folded', 'dropped')")
    op.drop_index('ix_notices_state_id', table_name='notices')
    op.drop_index(op.f('ix_notices_digest_id'), table_name='notices')
    op.drop_index('ix_notices_to_send', table_name='notices')
    with op.batch_alter_table('notices') as batch_op:
        batch_op.drop_constraint(op.f('ck_notices_channel_known'), type_='check')
        batch_op.drop_constraint(op.f('ck_notices_state_known'), type_='check')
        batch_op.drop_constraint(op.f('fk_notices_digest_id'), type_='foreignkey')
        batch_op.drop_column('digest_id')
        batch_op.drop_column('answer')
        batch_op.drop_column('channel')
        batch_op.alter_column('user_id', existing_type=sa.Integer(), nullable=False)
        batch_op.alter_column('dedupe', existing_type=sa.String(length=160), type_=sa.String(length=80))
        batch_op.create_check_constraint(op.f('ck_notices_state_known'), STATES_BEFORE)
    op.create_index('ix_notices_to_send', 'notices', ['due_at'], sqlite_where=TO_SEND, postgresql_where=TO_SEND)
    op.drop_table('notice_bursts')
    op.drop_table('notice_settings')
