"""a job's distinct numbers, each with its answer, apart from the cells where they stand

Revision ID: 0050
Revises: 0042
"""

import sqlalchemy as sa
from alembic import op


revision = '0050'
down_revision = '0042'
branch_labels = None
depends_on = None

OUTCOMES = " OR ".join(
    f"outcome = '{word}'" for word in ('found', 'not_found', 'invalid', 'rejected', 'waiting', 'failed')
)

# The state of a number is that of its first row: all its rows were always written together.
SPLIT = (
    """
    INSERT INTO numbers (job_id, no, e164, cells, first_row, outcome, reason, answer, checked_at, attempt)
    SELECT o.job_id, row_number() OVER (PARTITION BY o.job_id ORDER BY o.row_no), o.e164, f.cells, o.row_no,
           o.outcome, o.reason, o.answer, o.checked_at, o.attempt
    FROM (SELECT job_id, min(row_no) AS row_no, count(*) AS cells FROM rows_before WHERE e164 IS NOT NULL
          GROUP BY job_id, e164) AS f
    JOIN rows_before AS o ON o.job_id = f.job_id AND o.row_no = f.row_no
    """,
    """
    INSERT INTO cells (job_id, row_no, "column", place, text, number_no, repeats, reason)
    SELECT o.job_id, o.row_no, j."column", 1, o.text, n.no, coalesce(n.first_row <> o.row_no, false),
           CASE WHEN o.e164 IS NULL THEN o.reason END
    FROM rows_before AS o
    JOIN scraping_jobs AS j ON j.id = o.job_id
    LEFT JOIN numbers AS n ON n.e164 = o.e164 AND n.job_id = o.job_id
    """,
)
# A row has one number here: of several columns or several numbers in a cell, only the first of a row is left.
JOIN = """
    INSERT INTO numbers (job_id, row_no, text, e164, duplicate_of, outcome, reason, answer, checked_at, attempt)
    SELECT c.job_id, c.row_no, c.text, n.e164, CASE WHEN c.repeats THEN n.first_row END,
           coalesce(n.outcome, 'invalid'), coalesce(c.reason, n.reason), n.answer, n.checked_at, n.attempt
    FROM cells AS c LEFT JOIN numbers_after AS n ON n.job_id = c.job_id AND n.no = c.number_no
    WHERE NOT EXISTS (SELECT 1 FROM cells AS e WHERE e.job_id = c.job_id AND e.row_no = c.row_no
                      AND (e."column" < c."column" OR (e."column" = c."column" AND e.place < c.place)))
    """


def _state() -> list[sa.Column]:
    return [
        sa.Column('outcome', sa.String(20), nullable=False),
        sa.Column('reason', sa.String(40), nullable=True),
        sa.Column('answer', sa.JSON(), nullable=True),
        sa.Column('checked_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('attempt', sa.Integer(), nullable=True),
    ]


def _put_aside(name: str) -> None:
    """Rename the table, and free the names that its successor needs: in PostgreSQL an index keeps its own."""
    op.rename_table('numbers', name)
    if op.get_bind().dialect.name == 'postgresql':
        op.execute(f'ALTER TABLE {name} RENAME CONSTRAINT pk_numbers TO pk_{name}')
        op.execute(f'ALTER TABLE {name} RENAME CONSTRAINT fk_numbers_job_id TO fk_{name}_job_id')


def upgrade() -> None:
    op.drop_index('ix_numbers_e164', table_name='numbers')
    _put_aside('rows_before')
    op.create_table(
        'numbers',
        sa.Column('job_id', sa.Integer(), sa.ForeignKey('scraping_jobs.id', name='fk_numbers_job_id'), nullable=False),
        sa.Column('no', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('e164', sa.String(20), nullable=False),
        sa.Column('cells', sa.Integer(), nullable=False),
        sa.Column('first_row', sa.Integer(), nullable=False),
        *_state(),
        sa.PrimaryKeyConstraint('job_id', 'no', name='pk_numbers'),
        sa.CheckConstraint(OUTCOMES, name='outcome_known'),
    )
    op.create_table(
        'cells',
        sa.Column('job_id', sa.Integer(), sa.ForeignKey('scraping_jobs.id', name='fk_cells_job_id'), nullable=False),
        sa.Column('row_no', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('column', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('place', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('text', sa.String(200), nullable=False),
        sa.Column('number_no', sa.Integer(), nullable=True),
        sa.Column('repeats', sa.Boolean(), nullable=False),
        sa.Column('reason', sa.String(40), nullable=True),
        sa.PrimaryKeyConstraint('job_id', 'row_no', 'column', 'place', name='pk_cells'),
    )
    op.execute(SPLIT[0])
    op.create_index('ix_numbers_e164_job_id', 'numbers', ['e164', 'job_id'], unique=True)
    op.execute(SPLIT[1])
    op.drop_table('rows_before')


def downgrade() -> None:
    op.drop_index('ix_numbers_e164_job_id', table_name='numbers')
    _put_aside('numbers_after')
    op.create_table(
        'numbers',
        sa.Column('job_id', sa.Integer(), sa.ForeignKey('scraping_jobs.id', name='fk_numbers_job_id'), nullable=False),
        sa.Column('row_no', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('text', sa.String(200), nullable=False),
        sa.Column('e164', sa.String(20), nullable=True),
        sa.Column('duplicate_of', sa.Integer(), nullable=True),
        *_state(),
        sa.PrimaryKeyConstraint('job_id', 'row_no', name='pk_numbers'),
        sa.CheckConstraint(OUTCOMES, name='outcome_known'),
    )
    op.execute(JOIN)
    op.create_index('ix_numbers_e164', 'numbers', ['e164'])
    op.drop_table('numbers_after')
    op.drop_table('cells')
