"""A download while a worker saves: the page reads, then writes its line on the timeline, and neither is in the way."""

from sqlalchemy import select, text

from portal.database import db
from portal.jobs.core.job_tables import Event
from portal.jobs.export import open_download
from portal.web import jobs as pages


def test_a_worker_that_saves_during_the_download_does_not_break_it(as_alice, alice, make_job, monkeypatch) -> None:
    job_id = make_job(alice).id

    def slow_export(*args: object, **more: object) -> object:
        file = open_download(*args, **more)  # type: ignore[arg-type]
        with db.engine.begin() as worker:
            worker.execute(text("UPDATE scraping_jobs SET worker = 'saves now'"))
        return file

    monkeypatch.setattr(pages, "open_download", slow_export)
    answer = as_alice.get(f"/jobs/{job_id}/results.csv")
    assert answer.status_code == 200
    answer.close()
    assert db.session.scalars(select(Event.kind).where(Event.job_id == job_id)).all()[-1] == "downloaded"
