"""The daily summary: once each morning, for admins who chose it, with yesterday's numbers."""

from datetime import UTC, datetime, timedelta

from flask import Flask
from sqlalchemy import event, select

from portal.accounts import User
from portal.database import db
from portal.jobs.sweep import daily_summary
from portal.jobs.sweep.daily_summary import write_summaries
from portal.notices.models import Notice
from portal.notices.preferences import save_preferences
from tests.support import scenes
from tests.support.databases import ON_SQLITE

YESTERDAY = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
MORNING = datetime(2026, 5, 5, 6, 30, tzinfo=UTC)  # half past eight in Madrid


def test_it_comes_once_and_only_to_who_asked(app: Flask, ada: User, alice: User, make_job) -> None:
    for person in (ada, alice):
        save_preferences(person.id, YESTERDAY, daily_summary=True)
    scenes.completed(make_job(alice, 3), YESTERDAY)
    stopped = scenes.failed(make_job(alice, 3), YESTERDAY, final=True)
    stopped.updated_at = YESTERDAY
    make_job(alice, 3, now=MORNING)
    db.session.commit()
    assert list(write_summaries(MORNING - timedelta(hours=1))) == [], "not before eight"
    assert len(list(write_summaries(MORNING))) == 1 and list(write_summaries(MORNING + timedelta(hours=3))) == []
    (notice,) = db.session.scalars(select(Notice).where(Notice.kind == "daily_summary"))
    assert notice.user_id == ada.id, "alice is no admin"
    assert {name: notice.facts[name] for name in ("completed", "stopped", "open", "dead")} == {
        "completed": 1, "stopped": 1, "open": 1, "dead": 0,
    }  # fmt: skip
    assert notice.facts["from"] == "2026-05-04T00:00:00+02:00"
    assert len(list(write_summaries(MORNING + timedelta(days=1)))) == 1


def test_nobody_who_did_not_ask_gets_it(app: Flask, ada: User) -> None:
    assert list(write_summaries(MORNING)) == []


@ON_SQLITE  # its way to explain a query
def test_no_figure_of_it_reads_all_jobs(app: Flask) -> None:
    asked: list[tuple[str, object]] = []

    @event.listens_for(db.engine, "before_cursor_execute")
    def note(connection, cursor, statement, parameters, context, many) -> None:  # type: ignore[no-untyped-def]
        if "FROM scraping_jobs" in statement:
            asked.append((statement, parameters))

    daily_summary._facts(YESTERDAY, MORNING)
    db.session.commit()
    event.remove(db.engine, "before_cursor_execute", note)
    with db.engine.connect() as connection:
        plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {one[0]}", one[1]).all() for one in asked]
    assert [plan[0][3].partition(" ")[0] for plan in plans] == ["SEARCH"] * 3, plans
