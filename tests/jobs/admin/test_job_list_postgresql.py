"""The list, the grid and an operation on PostgreSQL, which is stricter about types and savepoints than SQLite."""

from itertools import product

from flask import Flask

from portal.database import db
from portal.jobs.admin import job_list, operation_runner, operations, phone_search, triage
from portal.jobs.admin.bulk import BulkOrder as Bulk
from portal.jobs.admin.filters import Filters
from portal.jobs.admin.job_list import Sort, SortOrder
from portal.jobs.core.bulk_tables import Verb
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.web.cursor import from_text, to_text
from tests.jobs.many import copies
from tests.support import cast, scenes
from tests.support.cast import NOW
from tests.support.databases import ON_POSTGRESQL


@ON_POSTGRESQL
def test_the_desk_works_on_postgresql_too(app: Flask) -> None:
    alice, ada = cast.make_user("alice@example.com"), cast.make_user("ada@example.com", admin=True)
    stopped = scenes.failed(cast.make_job(app, alice, 3), cause="x" * 5000, final=True)
    full = scenes.failed(cast.make_job(app, alice, 1), found=1, reasons=(), final=True)
    ids = [stopped.id, full.id, *copies(stopped, 118)]
    for sort, descending in product(Sort, (True, False)):
        found, place = [], None
        while True:
            page = job_list.list_all(Filters(), SortOrder(sort, descending), place)
            found += [job.id for job in page.jobs]
            if page.next is None:
                break
            place = from_text(to_text(page.next))
        assert sorted(found) == ids
    grid = triage.grid(NOW, stopped=True)
    assert (grid.sums["all"], len(grid.rows[0].cause)) == (120, 500), "a long cause is clipped, as it is indexed"
    for wanted in (
        Filters(cause=grid.rows[0].cause, changed_since=NOW), Filters(user="alice", status=Status.FAILED, since=NOW),
        Filters(name="clientes", source="offline"), Filters(name=str(full.id), until=NOW),
    ):  # fmt: skip
        page = job_list.list_all(wanted)
        assert page.total.n >= len(page.jobs) > 0 or wanted.until, wanted
    key = phone_search.begin(ada, "612 00 00 02", "ES", NOW)
    assert phone_search.phone_of(ada, key or "", NOW) == "+34612000002"
    assert [job.id for job in job_list.list_all(Filters(e164="+34612000002")).jobs] == [stopped.id]
    operation = operations.begin(Bulk(Verb.RETRY, ada.email), "one", NOW, wanted=Filters(status=Status.FAILED))
    assert operations.begin(Bulk(Verb.RETRY, ada.email), "one", NOW, wanted=Filters()).id == operation.id
    while operation_runner.work(operation.id, clock=lambda: NOW):
        pass
    db.session.rollback()
    done = db.session.get_one(type(operation), operation.id, populate_existing=True)
    assert (done.state, done.done, done.skipped_why) == ("done", 119, {"nothing_left": 1})
    assert db.session.get_one(ScrapingJob, full.id).status == Status.FAILED
