"""machines on which the portal runs

Revision ID: 0076
Revises: 0075
"""

import sqlalchemy as sa
from alembic import op


revision = '0076'
down_revision = '0075'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'hosts',
        sa.Column('name', sa.String(length=80), nullable=False),
        sa.Column('role', sa.String(length=10), nullable=False),
        sa.Column('first_seen_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('disk_free', sa.BigInteger(), nullable=False),
        sa.Column('disk_total', sa.BigInteger(), nullable=False),
        sa.Column('skew_seconds', sa.Double(), nullable=True),
        sa.Column('key_mark', sa.String(length=16), nullable=False),
        sa.Column('sources', sa.JSON(), nullable=False),
        sa.Column('missing', sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint('name'),
    )


def downgrade() -> None:
    op.drop_table('hosts')
