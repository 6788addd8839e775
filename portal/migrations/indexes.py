"""Adds an index to a table that may have millions of rows, for use in migrations.

On PostgreSQL a plain CREATE INDEX lets nobody write until it is done, for minutes on a large table. CONCURRENTLY only
takes longer, but needs a moment outside of any transaction: what the migration did before is committed. So call it
last in a migration that does nothing else, or whose other steps may be done twice.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


def create_index(name: str, table: str, columns: Sequence[str], *, where: str | None = None) -> None:
    """Create an index, over the rows for which `where` holds, unless it is there. While it is built on PostgreSQL,
    rows can be read and written. A build that was interrupted leaves an index that is never used; it is built anew."""
    condition = sa.text(where) if where else None
    if op.get_bind().dialect.name != "postgresql":
        op.create_index(name, table, list(columns), sqlite_where=condition, if_not_exists=True)
        return
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        before = connection.scalar(sa.text("SHOW lock_timeout"))
        # It waits for transactions that began earlier, and nobody queues behind it meanwhile.
        connection.execute(sa.text("SET lock_timeout = 0"))
        try:
            valid = connection.scalar(
                sa.text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)"), {"name": name}
            )
            if valid is False:
                op.drop_index(name, table_name=table, postgresql_concurrently=True)
            if not valid:
                op.create_index(name, table, list(columns), postgresql_where=condition, postgresql_concurrently=True)
        finally:
            connection.execute(sa.text("SELECT set_config('lock_timeout', :before, false)"), {"before": before})
