"""the last good text of each recipe

Revision ID: 0060
Revises: 0051
"""

import sqlalchemy as sa
from alembic import op


revision = '0060'
down_revision = '0051'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'recipes',
        sa.Column('file', sa.String(length=255), nullable=False),
        sa.Column('text', sa.Text(), nullable=False),
        sa.Column('kept_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('file'),
    )


def downgrade() -> None:
    op.drop_table('recipes')
