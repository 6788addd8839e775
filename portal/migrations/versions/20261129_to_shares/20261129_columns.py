"""each person's choice of added columns, for each source

Revision ID: 0042
Revises: 0041
"""

import sqlalchemy as sa
from alembic import op


revision = '0042'
down_revision = '0041'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'column_templates',
        sa.Column('user_id', sa.Integer(), nullable=False),
        sa.Column('source', sa.String(length=40), nullable=False),
        sa.Column('choice', sa.JSON(), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name='fk_column_templates_user_id'),
        sa.PrimaryKeyConstraint('user_id', 'source', name='pk_column_templates'),
    )


def downgrade() -> None:
    op.drop_table('column_templates')
