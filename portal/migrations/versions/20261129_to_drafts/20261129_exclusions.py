"""numbers that are never sent to a source

Revision ID: 0132
Revises: 0131
"""

import sqlalchemy as sa
from alembic import op


revision = '0132'
down_revision = '0131'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'exclusion_lists',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('name', sa.String(length=80), nullable=False),
        sa.Column('dated', sa.Date(), nullable=False),
        sa.Column('key', sa.Text(), nullable=False),
        sa.Column('numbers', sa.Integer(), nullable=False),
        sa.Column('source', sa.String(length=40), nullable=True),
        sa.Column('field', sa.String(length=60), nullable=True),
        sa.Column('added_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('added_by', sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_exclusion_lists')),
        sa.UniqueConstraint('name', name=op.f('uq_exclusion_lists_name')),
    )
    op.create_table(
        'excluded_numbers',
        sa.Column('list_id', sa.Integer(), nullable=False),
        sa.Column('digest', sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ['list_id'], ['exclusion_lists.id'], name=op.f('fk_excluded_numbers_list_id')
        ),
        sa.PrimaryKeyConstraint('list_id', 'digest', name=op.f('pk_excluded_numbers')),
    )
    op.create_index('ix_excluded_numbers_digest', 'excluded_numbers', ['digest'])


def downgrade() -> None:
    op.drop_table('excluded_numbers')
    op.drop_table('exclusion_lists')
