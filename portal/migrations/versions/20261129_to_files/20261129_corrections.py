"""what people corrected in the cells of a document, and in a job's copy of them

Revision ID: 0085
Revises: 0082
"""

import sqlalchemy as sa
from alembic import op


revision = '0085'
down_revision = '0082'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'corrections',
        sa.Column('document_id', sa.Integer(), nullable=False),
        sa.Column('sheet', sa.Integer(), nullable=False),
        sa.Column('row_no', sa.Integer(), nullable=False),
        sa.Column('column', sa.Integer(), nullable=False),
        sa.Column('text', sa.String(length=200), nullable=False),
        sa.Column('corrected', sa.String(length=200), nullable=False),
        sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['document_id'], ['documents.id']),
        sa.PrimaryKeyConstraint('document_id', 'sheet', 'row_no', 'column'),
    )
    op.add_column('cells', sa.Column('corrected', sa.String(length=200), nullable=True))


def downgrade() -> None:
    op.drop_column('cells', 'corrected')
    op.drop_table('corrections')
