"""what administrators set on pages: whom to ask, and whether the first steps are hidden

Revision ID: 0120
Revises: 0104
"""

import sqlalchemy as sa
from alembic import op


revision = '0120'
down_revision = '0104'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'portal_settings',
        sa.Column('name', sa.String(length=40), nullable=False),
        sa.Column('value', sa.Text(), nullable=False),
        sa.Column('set_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('set_by', sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint('name', name='pk_portal_settings'),
    )


def downgrade() -> None:
    op.drop_table('portal_settings')
