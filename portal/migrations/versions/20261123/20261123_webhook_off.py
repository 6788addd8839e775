"""a webhook that was switched off because its address is gone; notices by kind

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op


revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('notice_settings', sa.Column('webhook_off_at', sa.DateTime(timezone=True), nullable=True))
    op.create_index('ix_notices_kind_id', 'notices', ['kind', 'id'])


def downgrade() -> None:
    op.drop_index('ix_notices_kind_id', table_name='notices')
    op.drop_column('notice_settings', 'webhook_off_at')
