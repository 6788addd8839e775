"""who reads a document, and since when

Revision ID: 0061
Revises: 0060
"""

import sqlalchemy as sa
from alembic import op


revision = '0061'
down_revision = '0060'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('documents', sa.Column('read_claim', sa.Integer(), server_default='0', nullable=False))
    op.add_column('documents', sa.Column('read_lease_until', sa.DateTime(timezone=True), nullable=True))
    op.add_column('documents', sa.Column('read_began_at', sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column('documents', 'read_began_at')
    op.drop_column('documents', 'read_lease_until')
    op.drop_column('documents', 'read_claim')
