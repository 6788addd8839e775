"""A bulk operation through Redis and the sweep's real worker, which may be killed."""

from portal.clock import utcnow
from portal.database import db
from portal.jobs.admin import operations
from portal.jobs.admin.bulk import BulkOrder
from portal.jobs.admin.filters import Filters
from portal.jobs.core.bulk_tables import Verb
from portal.jobs.models import ScrapingJob
from tests.jobs.many import copies
from tests.services import wait_until
from tests.support import cast
from tests.support.world import World

ORDER = BulkOrder(Verb.RETRY, "ada@example.com")


def test_the_worker_runs_it_after_redis_lost_the_message(place: World) -> None:
    job_id = place.make_job(cast.make_user("alice@example.com"), 3, push=False)
    model = db.session.get_one(ScrapingJob, job_id)
    ScrapingJob.cancel(job_id, "alice@example.com", utcnow())
    db.session.commit()
    copies(model, 59)
    operation_id = operations.begin(ORDER, "one", utcnow(), wanted=Filters()).id
    db.session.rollback()
    place.redis.flushall()  # the message is gone, and nobody has taken the operation up
    place.start("sweep")
    assert place.sweep().operations == 0, "it may still be on its way"
    assert place.sweep(ahead_seconds=31).operations == 1
    db.session.rollback()

    def state() -> tuple[object, ...]:
        return place.query("SELECT state, done, skipped FROM operations WHERE id = ?", operation_id)[0]

    wait_until(lambda: state()[0] == "done", 30, "the operation is done")
    assert state() == ("done", 60, 0)
    assert place.query("SELECT count(*) FROM scraping_jobs WHERE status = 'retrying' AND round = 2") == [(60,)]
    assert place.redis.llen("rq:queue:scrape") == 60, "the workers were told of each"
