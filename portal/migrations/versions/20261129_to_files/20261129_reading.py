"""what a person chose about how a file is read, and which rows of it a job leaves out

Revision ID: 0084
Revises: 0080
"""

import sqlalchemy as sa
from alembic import op


revision = '0084'
down_revision = '0080'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('documents', sa.Column('text_choice', sa.JSON(), server_default='{}', nullable=False))
    op.add_column('scraping_jobs', sa.Column('left_out', sa.String(length=40), server_default='', nullable=False))


def downgrade() -> None:
    op.drop_column('scraping_jobs', 'left_out')
    op.drop_column('documents', 'text_choice')
