"""A portal that is in use is brought from an earlier version to this one, and back, and loses nothing by it."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask_migrate import downgrade, upgrade
from sqlalchemy import JSON, Boolean, DateTime, Integer, MetaData, Table, event, func, inspect, select

from portal.application import build
from portal.config import read_settings
from portal.database import db
from portal.jobs.core.job_tables import CellAnswer, Number
from portal.jobs.core.status import Status
from portal.jobs.metrics.models import EVER, EVERYBODY, Metric
from portal.jobs.models import ScrapingJob
from portal.jobs.status_counts import has_uncounted
from portal.jobs.sweep.steps import sweep
from portal.notices.models import Channel, Delivery, Notice
from tests import services
from tests.support.cast import DEAD_REDIS, NOW
from tests.support.databases import POSTGRESQL

EARLIER = "0002"
STATUSES = list(Status)
KEPT = ("users", "documents", "scraping_jobs", "numbers", "attempts", "events", "notices", "cached_answers")
EMPTY: dict[type[Any], Any] = {JSON: {}, DateTime: NOW, Boolean: False, Integer: 0}
LEDGER = ("job_id", "row_no", "text", "e164", "duplicate_of", "outcome", "reason", "answer")
RETRIED = STATUSES.index(Status.FAILED) + 1  # by the sweep, so that its failed numbers wait again
STATES: dict[Status, dict[str, Any]] = {
    Status.COMPLETED: {"outcome": "found", "answer": {"operator": "Ñ"}, "attempt": 1},
    Status.FAILED: {"outcome": "failed", "reason": "temporary", "attempt": 1},
}
LATER = NOW + timedelta(days=1)


@pytest.mark.parametrize("dialect", ["sqlite", POSTGRESQL])
def test_what_an_earlier_version_wrote_goes_on(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    settings = {"PORTAL_DATA_DIR": str(tmp_path), "REDIS_URL": DEAD_REDIS}
    if dialect == "postgresql":
        with services.new_database(request.getfixturevalue("postgres_server")) as url:
            there_and_back({**settings, "DATABASE_URL": url})
    else:
        there_and_back(settings)


@pytest.mark.parametrize("dialect", ["sqlite", POSTGRESQL])
def test_blank_cells_of_earlier_jobs_are_counted_while_others_write(
    dialect: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    settings = {"PORTAL_DATA_DIR": str(tmp_path), "REDIS_URL": DEAD_REDIS}
    if dialect == "postgresql":
        with services.new_database(request.getfixturevalue("postgres_server")) as url:
            count_blank_cells({**settings, "DATABASE_URL": url})
    else:
        count_blank_cells(settings)


def count_blank_cells(settings: dict[str, str]) -> None:
    app = build(read_settings(settings))
    with app.app_context():
        upgrade(revision="0140")
        owner = {"document_id": 1, "user_id": 1, "file_name": "a.xlsx", "status": "completed", "round": 1}
        _write("users", id=1, email="alice@example.com", password_hash="x", role="user", state="active", locale="es")
        _write("documents", id=1, user_id=1, file_name="a.xlsx", storage_key="0" * 32, sha256="0" * 64, state="ready")
        for n in (1, 2, 3):
            _write("scraping_jobs", id=n, total_numbers=4, invalid_count=3, **owner)
            for row_no, reason in ((2, "blank"), (3, "too_short"), (4, "blank"), (5, None)):
                _write("cells", job_id=n, row_no=row_no, column=0, place=1, text="", reason=reason)
        _write("scraping_jobs", id=4, total_numbers=4, invalid_count=0, **owner)
        _write("openings", job_id=3, row_no=4, cells=3, invalid=3, corrections=[])
        filled = 0

        def fill(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            """Somebody fills a cell of job 2 in between its count and what is written of it."""
            nonlocal filled
            if statement.startswith("UPDATE scraping_jobs SET blank_count") and not filled:
                filled += 1
                with db.engine.begin() as other:
                    other.exec_driver_sql("UPDATE cells SET reason = NULL WHERE row_no = 4 AND job_id < 3")
                    other.exec_driver_sql("UPDATE scraping_jobs SET round = 2 WHERE id < 3")

        event.listen(db.engine, "before_cursor_execute", fill)
        upgrade()
        event.remove(db.engine, "before_cursor_execute", fill)
        assert filled
        with db.engine.connect() as connection:
            counts = connection.exec_driver_sql("SELECT id, blank_count FROM scraping_jobs ORDER BY id").all()
            assert [tuple(one) for one in counts] == [(1, 1), (2, 1), (3, 0), (4, 0)]
            assert connection.exec_driver_sql("SELECT blank FROM openings").scalar() == 2
        downgrade(revision="0137")
        upgrade()
        db.session.remove()
        db.engine.dispose()


def there_and_back(settings: dict[str, str]) -> None:
    app = build(read_settings(settings))
    with app.app_context():
        upgrade(revision=EARLIER)
        _lived()
        before, ledger = _counted(), _earlier_ledger()
        upgrade()
        assert _counted() == {**before, "numbers": before["numbers"] // 3}, "one number in two of three rows"
        split = select(*(getattr(CellAnswer, name) for name in LEDGER)).order_by(CellAnswer.job_id, CellAnswer.row_no)
        assert db.session.execute(split).all() == ledger
        assert {(one.no, one.cells, one.first_row) for one in db.session.scalars(select(Number))} == {(1, 2, 2)}
        swept = sweep(LATER)
        assert (swept.faults, swept.lost, swept.retried, swept.notified) == (0, 1, 1, 1)
        assert not has_uncounted()
        total = select(func.sum(Metric.jobs)).where(Metric.user_id == EVERYBODY, Metric.grain == EVER)
        assert db.session.scalar(total) == 4, "completed, cancelled, timed out and failed for good"
        told = db.session.scalars(select(Notice).where(Notice.dedupe == "job-failed.8.1")).one()
        assert (told.channel, told.state) == (Channel.MAIL, Delivery.SENT)
        assert len(set(db.session.scalars(select(ScrapingJob.id)))) == len(STATUSES) + 1
        db.session.remove()
        before = {**_counted(), "numbers": before["numbers"]}
        digest = {"kind": "jobs_digest", "channel": "chat", "state": "sent"}
        _write("notices", id=100, dedupe="digest", **digest)
        _write("notices", id=101, dedupe="folded", digest_id=100, **{**digest, "state": "folded"})
        downgrade(revision=EARLIER)
        assert _counted() == before
        assert len(_earlier_ledger()) == len(ledger)
        assert [row for row in _earlier_ledger() if row[0] != RETRIED] == [row for row in ledger if row[0] != RETRIED]
        upgrade()
        assert sweep(LATER).faults == 0
        db.session.remove()
        db.engine.dispose()


def _lived() -> None:
    """One person with a job in each status, as raw rows: the models are of a later version. Job 8 failed for good."""
    _write("users", id=1, email="alice@example.com", password_hash="x", is_admin=True, is_active=True, locale="es")
    _write("documents", id=1, user_id=1, file_name="a.xlsx", storage_key="0" * 32, sha256="0" * 64, state="ready")
    for n, status in enumerate([*STATUSES, Status.FAILED], 1):
        final = n > len(STATUSES)
        waits = status in (Status.FAILED,) and not final
        _write(
            "scraping_jobs", id=n, document_id=1, user_id=1, file_name="a.xlsx", status=status.value, max_retries=3,
            retry_count=3 if final or status == Status.TIMEOUT else 0, total_numbers=2, timeout_minutes=30,
            source="offline", country="ES", header_row=1, attempt=1, next_retry_at=NOW if waits else None,
            lease_until=NOW if status == Status.PROCESSING else None, last_error="x" * 900 if final else None,
        )  # fmt: skip
        _write("attempts", job_id=n, attempt=1)
        _write("events", job_id=n, kind="created")
        for row_no in (2, 3):
            _write(
                "numbers", job_id=n, row_no=row_no, text="612000001", e164="+34612000001",
                duplicate_of=2 if row_no == 3 else None, **STATES.get(status, {"outcome": "waiting"}),
            )  # fmt: skip
        _write("numbers", job_id=n, row_no=4, text="12", reason="too_short", outcome="invalid")
    _write("notices", dedupe="job-failed.8.1", kind="job_failed", user_id=1, job_id=8, state="due", facts={
        "file_name": "a.xlsx", "total": 2, "ready": 0, "cause": {"es": "No.", "en": "No."}, "attempts": 1,
        "first_at": None, "rows": [2, 3], "reference": "SJ-8-A1",
    })  # fmt: skip
    _write("notices", dedupe="old", kind="job_failed", user_id=1, job_id=8, state="sent")
    _write("cached_answers", source="api", e164="+34612000001", version="1", outcome="found", answered_at=LATER)


def _write(table: str, **values: Any) -> None:
    """A row of the table as it is now; what is asked for and not given is nothing, or the moment."""
    known = Table(table, MetaData(), autoload_with=db.engine)
    row = dict(values)
    for column in known.columns:
        if column.name not in row and not column.nullable and column.name != "id":
            row[column.name] = next((value for kind, value in EMPTY.items() if isinstance(column.type, kind)), "")
    if db.engine.dialect.name == "sqlite":  # which knows no zones
        row = {
            name: value.replace(tzinfo=None) if isinstance(value, datetime) else value for name, value in row.items()
        }
    with db.engine.begin() as connection:
        connection.execute(known.insert(), row)


def _earlier_ledger() -> list[Any]:
    """Every row of the ledger as it was before numbers and cells were two tables."""
    rows = Table("numbers", MetaData(), autoload_with=db.engine).c
    in_order = select(*(rows[name] for name in LEDGER)).order_by(rows.job_id, rows.row_no)
    with db.engine.connect() as connection:
        return list(connection.execute(in_order))


def _counted() -> dict[str, int]:
    with db.engine.connect() as connection:
        assert set(KEPT) <= set(inspect(connection).get_table_names())
        return {
            name: connection.scalar(select(func.count()).select_from(Table(name, MetaData(), autoload_with=connection)))
            or 0
            for name in KEPT
        }
