"""a webhook that was switched off because its address is gone; notices by kind

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
    op.add_column('notice_settings', sa.Column('webhook_off_at', sa.DateTime(timezone=True), nullable=True))
    op.create_index('ix_notices_kind_id', 'notices', ['kind', 'id'])


def downgrade() -> None:
    op.drop_index('ix_notices_kind_id', table_name='notices')
    op.drop_column('notice_settings', 'webhook_off_at')
