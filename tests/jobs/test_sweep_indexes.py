"""Each step of the sweep reads its own small index, and never the whole table of jobs or notices."""

from datetime import timedelta

from sqlalchemy import event, text

from portal.database import db
from portal.jobs import overdue, queries, sweeping
from tests.support.cast import NOW


def test_no_step_of_the_sweep_reads_all_jobs(app, alice, make_job) -> None:
    job = make_job(alice)
    asked: list[tuple[str, object]] = []

    @event.listens_for(db.engine, "before_cursor_execute")
    def note(connection, cursor, statement, parameters, context, many) -> None:
        if statement.startswith("SELECT") and ("FROM scraping_jobs" in statement or "FROM notices" in statement):
            asked.append((statement, parameters))

    overdue.lost_jobs(NOW)
    overdue.silent_jobs(NOW)
    overdue.due_jobs(NOW)
    overdue.unpushed_jobs(NOW)
    list(sweeping.send_due(NOW + timedelta(days=1)))
    queries.queue_position(job)
    event.remove(db.engine, "before_cursor_execute", note)
    db.session.commit()
    assert len(asked) >= 7
    with db.engine.connect() as connection:
        connection.execute(text("ANALYZE"))
        for statement, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            whole = [step[3] for step in plan if step[3].startswith("SCAN") and "INDEX" not in step[3]]
            assert not whole, f"{whole} in {statement}"
