"""answers that a new list has not taken over yet from an earlier one which is deleted

Revision ID: 0146
Revises: 0142
"""

import sqlalchemy as sa
from alembic import op


revision = '0146'
down_revision = '0142'
branch_labels = None
depends_on = None

OUTCOMES = " OR ".join(
    f"outcome = '{word}'" for word in ('found', 'not_found', 'invalid', 'rejected', 'waiting', 'failed')
)


def upgrade() -> None:
    op.create_table(
        'carried_answers',
        sa.Column('merge_id', sa.Integer(), nullable=False),
        sa.Column('no', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('e164', sa.String(length=20), nullable=False),
        sa.Column('outcome', sa.String(length=20), nullable=False),
        sa.Column('reason', sa.String(length=40), nullable=True),
        sa.Column('answer', sa.JSON(), nullable=True),
        sa.Column('checked_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('by_step', sa.JSON(), nullable=True),
        sa.CheckConstraint(OUTCOMES, name=op.f('ck_carried_answers_outcome_known')),
        sa.ForeignKeyConstraint(['merge_id'], ['list_merges.id'], name=op.f('fk_carried_answers_merge_id')),
        sa.PrimaryKeyConstraint('merge_id', 'no', name=op.f('pk_carried_answers')),
    )
    op.create_index('ix_carried_answers_e164_merge_id', 'carried_answers', ['e164', 'merge_id'])


def downgrade() -> None:
    op.drop_table('carried_answers')
