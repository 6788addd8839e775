"""The migrations bring an empty database to just what the models say, on both databases, and back."""

import fcntl
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask_migrate import downgrade, upgrade
from sqlalchemy import event, inspect

from portal.application import build
from portal.config import ROOT, read_settings
from portal.database import db
from tests import services
from tests.support.cast import DEAD_REDIS
from tests.support.processes import wait_until

VERSIONS = ROOT / "portal" / "migrations" / "versions"
EARLIER = ("20261129_accounts", "20261129_operations", "20261129_waiting")  # from before there was `create_index`


@pytest.mark.parametrize("dialect", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_the_migrations_give_what_the_models_say(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    settings = {"PORTAL_DATA_DIR": str(tmp_path), "REDIS_URL": DEAD_REDIS}
    if dialect == "postgresql":
        with services.new_database(request.getfixturevalue("postgres_server")) as url:
            both_ways({**settings, "DATABASE_URL": url})
    else:
        both_ways(settings)


def both_ways(settings: dict[str, str]) -> None:
    app = build(read_settings(settings))
    with app.app_context():
        upgrade()
        with db.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, db.metadata) == []
        downgrade(revision="base")
        assert set(inspect(db.engine).get_table_names()) <= {"alembic_version"}
        upgrade()
        db.engine.dispose()


UPDATE = [sys.executable, "-m", "flask", "--app", "app", "db", "upgrade"]
UPDATES_LOCK = 5270117  # of migrations/env.py, which cannot be imported


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who waits for a lock")
def test_an_update_of_sqlite_waits_for_the_one_before(tmp_path: Path) -> None:
    environ = {**os.environ, "PORTAL_DATA_DIR": str(tmp_path), "REDIS_URL": DEAD_REDIS, "DATABASE_URL": ""}
    with (tmp_path / "masterfilter.db.upgrade").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        update = subprocess.Popen(UPDATE, cwd=ROOT, env=environ)
        waits = re.compile(rf"-> FLOCK\s+ADVISORY\s+WRITE\s+{update.pid} ")
        wait_until(lambda: bool(waits.search(Path("/proc/locks").read_text())), 20, "it waits")
        assert update.poll() is None
    assert update.wait(60) == 0


@pytest.mark.postgresql
def test_an_update_of_postgresql_waits_for_the_one_before(tmp_path: Path, postgres_server: str) -> None:
    with services.new_database(postgres_server) as url, psycopg.connect(url, autocommit=True) as other:
        other.execute(f"SELECT pg_advisory_lock({UPDATES_LOCK})")
        environ = {**os.environ, "PORTAL_DATA_DIR": str(tmp_path), "REDIS_URL": DEAD_REDIS, "DATABASE_URL": url}
        update = subprocess.Popen(UPDATE, cwd=ROOT, env=environ)
        asks = "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_try_advisory_lock%' AND pid <> pg_backend_pid()"
        try:
            wait_until(lambda: other.execute(asks).fetchone() is not None, 60, "it waits")
            assert update.poll() is None
            assert other.execute("SELECT to_regclass('alembic_version')").fetchone() == (None,)
            other.execute(f"SELECT pg_advisory_unlock({UPDATES_LOCK})")
            assert update.wait(50) == 0
        finally:
            update.kill()
            update.wait()


@pytest.mark.postgresql
def test_a_migration_may_take_longer_than_a_query_of_a_page(tmp_path: Path, postgres_server: str) -> None:
    seen = set()

    def note(connection: object, cursor: Any, statement: str, *more: object) -> None:
        if statement.lstrip().startswith("CREATE TABLE scraping_jobs"):
            for name in ("statement_timeout", "lock_timeout"):
                seen.add((name, *cursor.connection.execute(f"SHOW {name}").fetchone()))

    with services.new_database(postgres_server) as url:
        settings = {"PORTAL_DATA_DIR": str(tmp_path), "REDIS_URL": DEAD_REDIS, "DATABASE_URL": url}
        with build(read_settings(settings)).app_context():
            event.listen(db.engine, "before_cursor_execute", note)
            upgrade()
            with db.engine.connect() as connection:
                assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "1min"
            db.engine.dispose()
    assert seen == {("statement_timeout", "0"), ("lock_timeout", "30s")}


WRITER = "LOCK TABLE scraping_jobs IN ROW EXCLUSIVE MODE"  # what every INSERT and UPDATE takes


@pytest.mark.postgresql
def test_others_write_while_an_index_is_built(tmp_path: Path, postgres_server: str) -> None:
    """An index waits for transactions that have written before; nobody else waits behind it. A build that was
    interrupted is done anew."""
    with services.new_database(postgres_server) as url, psycopg.connect(url) as first, psycopg.connect(url) as second:
        app = build(read_settings({"PORTAL_DATA_DIR": str(tmp_path), "REDIS_URL": DEAD_REDIS, "DATABASE_URL": url}))

        def update() -> None:
            with app.app_context():
                upgrade(revision="0030")
                db.engine.dispose()

        with app.app_context():
            upgrade(revision="0020")
        first.execute(WRITER)
        second.autocommit = True
        with ThreadPoolExecutor(1) as pool:
            updating = pool.submit(update)
            building = (
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX%' AND wait_event IS NOT NULL"
            )
            wait_until(lambda: updating.done() or second.execute(building).fetchone()[0], 20, "the index waits")
            second.execute("SET lock_timeout = '1s'")
            with second.transaction():
                second.execute(WRITER)
            first.commit()
            updating.result()
        valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_jobs_hidden'::regclass"
        assert second.execute(valid).fetchone() == (True,)
        second.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_jobs_hidden'::regclass")
        second.execute("UPDATE alembic_version SET version_num = '0020'")
        update()
        assert second.execute(valid).fetchone() == (True,)


def test_new_migrations_build_indexes_of_tables_in_use_beside_others_writes() -> None:
    """On a table that the same migration creates, nobody waits: there a plain index will do."""
    scripts = [script for script in VERSIONS.rglob("*.py") if not script.name.startswith(("20261123_", *EARLIER))]
    assert scripts
    for script in scripts:
        text = script.read_text()
        plain = re.findall(r"\bop\.create_index\(\s*[^,]+,\s*'(\w+)'", text)
        created = re.findall(r"op\.create_table\(\s*'(\w+)'", text)
        assert set(plain) <= set(created), f"{script.name}: use portal.migrations.indexes.create_index"
