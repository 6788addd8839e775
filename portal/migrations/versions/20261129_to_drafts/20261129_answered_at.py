"""when the last of the answers of a minute came from a source

Revision ID: 0123
Revises: 0133
"""

import sqlalchemy as sa
from alembic import op


revision = '0123'
down_revision = '0133'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('source_minutes', sa.Column('last_at', sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column('source_minutes', 'last_at')
