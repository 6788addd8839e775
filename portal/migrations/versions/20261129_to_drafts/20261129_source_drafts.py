"""recipes that are being written in the browser, with the answers that they were tried with; every version of a recipe,
with its author; with which versions of its source's recipe a job was looked up

Revision ID: 0128
Revises: 0125
"""

import sqlalchemy as sa
from alembic import op


revision = '0128'
down_revision = '0125'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'source_drafts',
        sa.Column('token', sa.String(32), primary_key=True),
        sa.Column('text', sa.Text(), nullable=False),
        sa.Column('source', sa.String(40), nullable=True),
        sa.Column('file', sa.String(255), nullable=True),
        sa.Column('notes', sa.JSON(), nullable=False),
        sa.Column('number', sa.String(20), nullable=False),
        sa.Column('made_by', sa.String(255), nullable=False),
        sa.Column('changed_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('changed_by', sa.String(255), nullable=False),
    )
    op.create_table(
        'draft_samples',
        sa.Column('id', sa.Integer(), primary_key=True),
        sa.Column('draft', sa.String(32), sa.ForeignKey('source_drafts.token'), nullable=False),
        sa.Column('number', sa.String(20), nullable=False),
        sa.Column('meaning', sa.String(20), nullable=False),
        sa.Column('spoilt', sa.Boolean(), nullable=False),
        sa.Column('asked_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('taken_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('facts', sa.JSON(), nullable=True),
        sa.Column('body', sa.LargeBinary(), nullable=True),
    )
    op.create_index('ix_draft_samples_draft', 'draft_samples', ['draft'])
    op.create_table(
        'recipe_versions',
        sa.Column('id', sa.Integer(), primary_key=True),
        sa.Column('file', sa.String(255), nullable=False),
        sa.Column('text', sa.Text(), nullable=False),
        sa.Column('saved_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('author', sa.String(255), nullable=False),
    )
    op.create_index('ix_recipe_versions_file', 'recipe_versions', ['file'])
    op.add_column('scraping_jobs', sa.Column('source_versions', sa.String(200), server_default='', nullable=False))


def downgrade() -> None:
    op.drop_column('scraping_jobs', 'source_versions')
    op.drop_table('recipe_versions')
    op.drop_table('draft_samples')
    op.drop_table('source_drafts')
