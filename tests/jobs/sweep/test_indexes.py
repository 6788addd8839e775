"""Each step of the sweep reads its own small index, and never the whole table of jobs or notices."""

from datetime import timedelta

from sqlalchemy import event, text

from portal.database import db
from portal.jobs import erasure, status_counts, turns
from portal.jobs.sweep import expiry, metrics_backfill, overdue, steps, waiting
from tests.support import scenes
from tests.support.cast import NOW
from tests.support.databases import ON_SQLITE

TABLES = ("scraping_jobs", "notices", "documents")


@ON_SQLITE  # its way to explain a query
def test_no_step_of_the_sweep_reads_all_jobs(app, alice, make_job) -> None:
    app.config["RETENTION_DAYS"] = 30
    job = make_job(alice)
    scenes.completed(make_job(alice), NOW - timedelta(days=40))
    asked: list[tuple[str, object]] = []

    @event.listens_for(db.engine, "before_cursor_execute")
    def note(connection, cursor, statement, parameters, context, many) -> None:
        if statement.startswith("SELECT") and any(f"FROM {table}" in statement for table in TABLES):
            asked.append((statement, parameters))

    overdue.lost_jobs(NOW)
    overdue.silent_jobs(NOW)
    overdue.due_jobs(NOW)
    overdue.unpushed_jobs(NOW)
    overdue.overlong_waits(NOW)
    assert not overdue.anything_due(NOW)
    waiting.release(NOW)
    waiting.hold_back(NOW)
    list(steps.send_due(NOW + timedelta(days=1)))
    turns.jobs_ahead(job, NOW)
    turns.next_job(NOW, 1)
    expiry._past_days(NOW)
    list(expiry.expire_unstarted(NOW))
    list(erasure.erase_files(NOW, app.extensions["storage"]))
    list(metrics_backfill.catch_up(NOW))
    status_counts.has_uncounted()
    status_counts.count_by_status()
    status_counts.count_by_status(alice.id)
    event.remove(db.engine, "before_cursor_execute", note)
    db.session.commit()
    assert len(asked) >= 18
    with db.engine.connect() as connection:
        connection.execute(text("ANALYZE"))
        for statement, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            scanned = [step[3] for step in plan if step[3].startswith("SCAN") and "INDEX" not in step[3]]
            few = (
                "SCAN users",
                "SCAN holders",
                "SCAN CONSTANT ROW",
                "SCAN (subquery",
                "SCAN anon_",
            )  # results of another step, and as many as workers
            whole = [step for step in scanned if not step.startswith(few)]
            assert not whole, f"{whole} in {statement}"
