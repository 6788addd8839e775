"""a person skips one of a file's several sources: up to which one, its cells, and in bulk

Revision ID: 0142
Revises: 0141
"""

import sqlalchemy as sa
from alembic import op


revision = '0142'
down_revision = '0141'
branch_labels = None
depends_on = None

BEFORE = ('retry', 'time_out', 'cancel', 'limits')
VERBS = (*BEFORE, 'skip_source')


def known(verbs: tuple[str, ...]) -> str:
    return ' OR '.join(f"verb = '{verb}'" for verb in verbs)


def change(verbs: tuple[str, ...]) -> None:
    with op.batch_alter_table('operations') as batch:
        batch.drop_constraint(op.f('ck_operations_verb_known'), type_='check')
        batch.create_check_constraint(op.f('ck_operations_verb_known'), known(verbs))


def upgrade() -> None:
    op.add_column('scraping_jobs', sa.Column('skipped_step', sa.Integer(), nullable=True))
    op.add_column('job_steps', sa.Column('skipped', sa.Integer(), server_default='0', nullable=False))
    change(VERBS)


def downgrade() -> None:
    theirs = "(SELECT id FROM operations WHERE verb = 'skip_source')"
    op.execute(sa.text(f'DELETE FROM operation_jobs WHERE operation_id IN {theirs}'))
    op.execute(sa.text("DELETE FROM operations WHERE verb = 'skip_source'"))
    change(BEFORE)
    op.drop_column('job_steps', 'skipped')
    op.drop_column('scraping_jobs', 'skipped_step')
