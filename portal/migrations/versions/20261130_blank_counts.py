"""the blank cells of jobs that are there already are counted

Each job is counted without a lock, however large it is, and written in a transaction of its own: others write meanwhile,
and a count of cells that have changed since is made again. An update that is interrupted may be done twice.

Revision ID: 0141
Revises: 0140
"""

import sqlalchemy as sa
from alembic import op


revision = '0141'
down_revision = '0140'
branch_labels = None
depends_on = None

AT_ONCE = 500
COUNT = "SELECT count(*) FROM cells WHERE job_id = :id AND reason = 'blank'"
# A job's cells change with its round, and while it is opened, with the row up to which it is.
JOBS = (
    "SELECT id, round AS seen FROM scraping_jobs WHERE id > :after AND invalid_count > 0"
    " AND NOT EXISTS (SELECT 1 FROM openings WHERE job_id = scraping_jobs.id) ORDER BY id LIMIT :most",
    "SELECT round FROM scraping_jobs WHERE id = :id",
    "UPDATE scraping_jobs SET blank_count = :blank WHERE id = :id AND round = :seen",
)
OPENINGS = (
    "SELECT job_id AS id, row_no AS seen FROM openings WHERE job_id > :after ORDER BY job_id LIMIT :most",
    "SELECT row_no FROM openings WHERE job_id = :id",
    "UPDATE openings SET blank = :blank WHERE job_id = :id AND row_no = :seen",
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        if connection.dialect.name == 'sqlite':  # where the block has begun a transaction that keeps writers waiting
            connection.exec_driver_sql("COMMIT")
        for some, again, write in (OPENINGS, JOBS):
            after = 0
            while rows := connection.execute(sa.text(some), {"after": after, "most": AT_ONCE}).all():
                for one, seen in rows:
                    _count(connection, one, seen, again, write)
                after = rows[-1][0]


def _count(connection: sa.Connection, one: int, seen: int | None, again: str, write: str) -> None:
    while seen is not None:
        blank = connection.scalar(sa.text(COUNT), {"id": one})
        if not blank or connection.execute(sa.text(write), {"id": one, "blank": blank, "seen": seen}).rowcount:
            return
        seen = connection.scalar(sa.text(again), {"id": one})


def downgrade() -> None:
    pass
