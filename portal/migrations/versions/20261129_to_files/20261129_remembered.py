"""what each person chose for files of one shape

Revision ID: 0082
Revises: 0076
"""

import sqlalchemy as sa
from alembic import op


revision = '0082'
down_revision = '0076'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'remembered_choices',
        sa.Column('user_id', sa.Integer(), nullable=False),
        sa.Column('shape', sa.String(length=64), nullable=False),
        sa.Column('header_row', sa.Integer(), nullable=False),
        sa.Column('headings', sa.String(length=64), nullable=False),
        sa.Column('width', sa.Integer(), nullable=False),
        sa.Column('columns', sa.JSON(), nullable=False),
        sa.Column('country', sa.String(length=2), nullable=False),
        sa.Column('country_column', sa.Integer(), nullable=True),
        sa.Column('source', sa.String(length=40), nullable=False),
        sa.Column('used_at', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ['user_id'], ['users.id'], name='fk_remembered_choices_user_id', ondelete='CASCADE'
        ),
        sa.PrimaryKeyConstraint('user_id', 'shape', name='pk_remembered_choices'),
    )


def downgrade() -> None:
    op.drop_table('remembered_choices')
