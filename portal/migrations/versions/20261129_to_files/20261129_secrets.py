"""secrets of sources, encrypted

Revision ID: 0075
Revises: 0084
"""

import sqlalchemy as sa
from alembic import op


revision = '0075'
down_revision = '0084'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'secrets',
        sa.Column('name', sa.String(length=100), nullable=False),
        sa.Column('token', sa.Text(), nullable=False),
        sa.Column('set_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('set_by', sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint('name'),
    )


def downgrade() -> None:
    op.drop_table('secrets')
