"""where a session was started from; two-step sign-in with recovery codes

Revision ID: 0040
Revises: 0030
"""

import sqlalchemy as sa
from alembic import op


revision = '0040'
down_revision = '0030'
branch_labels = None
depends_on = None

SESSION = {'network': 64, 'browser': 40, 'system': 40}
USER = {'totp_key': sa.String(64), 'totp_on_at': sa.DateTime(timezone=True), 'totp_step': sa.Integer()}


def upgrade() -> None:
    for name, length in SESSION.items():
        op.add_column('login_sessions', sa.Column(name, sa.String(length), nullable=True))
    for name, kind in USER.items():
        op.add_column('users', sa.Column(name, kind, nullable=True))
    op.create_table('recovery_codes',
    sa.Column('code_hash', sa.String(length=64), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_recovery_codes_user_id')),
    sa.PrimaryKeyConstraint('code_hash', name=op.f('pk_recovery_codes'))
    )
    op.create_index(op.f('ix_recovery_codes_user_id'), 'recovery_codes', ['user_id'])


def downgrade() -> None:
    op.drop_table('recovery_codes')
    for name in USER:
        op.drop_column('users', name)
    for name in SESSION:
        op.drop_column('login_sessions', name)
