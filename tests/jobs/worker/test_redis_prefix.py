"""Two portals share one Redis database: each sees only its own queues, messages, schedule and sources' limits."""

from contextlib import ExitStack
from pathlib import Path

from portal.clock import utcnow
from portal.jobs.dispatch import connection, in_queue, job_message, push_job, queue
from portal.jobs.worker.scheduler import SweepScheduler
from portal.sources.limits.circuit_breaker import CircuitBreaker
from portal.sources.limits.concurrency_limiter import ConcurrencyLimiter
from portal.sources.limits.rate_limiter import RateLimiter
from tests import services
from tests.support import cast, databases
from tests.support.preloaded import Preloaded
from tests.support.world import once_each, world


def test_two_portals_share_a_redis_database(tmp_path: Path) -> None:
    with services.valkey(tmp_path) as url:
        for prefix in ("", "two"):
            folder = tmp_path / f"portal-{prefix}"
            folder.mkdir()
            with databases.usual() as database, ExitStack() as stack:
                app = cast.make_app(folder, REDIS_URL=url, REDIS_PREFIX=prefix, **database)
                stack.enter_context(app.app_context())
                if prefix:
                    assert queue("scrape").count == 0, "the other one's job is not ours"
                job = cast.make_job(app, cast.make_user("alice@example.com"), 3, now=utcnow())
                assert push_job(job.id, utcnow())
                assert in_queue("scrape", job_message(job.id, 0, 1))
                scheduler = SweepScheduler(connection(), 60)
                scheduler.tick()
                assert scheduler.acquire_lock(), "the other one's scheduler is not in the way"
                CircuitBreaker(connection(), "operators").trip("blocked")
                assert queue("scrape").count == queue("sweep").count == 1
                assert connection().exists(f"{prefix and 'two-'}breaker:operators")
                RateLimiter(connection(), "operators", 1000).wait()
                assert connection().exists(f"{prefix and 'two-'}pace:operators")
                places = ConcurrencyLimiter(connection(), "operators", 1)
                places.take()
                assert connection().exists(f"{prefix and 'two-'}places:operators")
                places.give_back()


def test_a_portal_with_a_prefix_works_and_leaves_only_its_own_keys(tmp_path: Path, forks: Preloaded) -> None:
    with world(tmp_path, forks, REDIS_PREFIX="two", LOOP_SECONDS="0.05") as place:
        for role in ("scrape", "sweep", "scheduler"):
            place.start(role)
        job_id = place.make_job(cast.make_user("alice@example.com"), 5)
        place.wait_status(job_id, "completed")
        assert once_each(place, 5)
        ours = [key.decode() for key in place.redis.keys("*") if b"two-" in key]
        others = [key.decode() for key in place.redis.keys("*") if b"two-" not in key]
        assert ours and all(key.startswith(SHARED) for key in others), others


# Names that no second portal can mistake: a worker has a random name, the rest are sets of names.
SHARED = ("rq:worker:", "rq:workers", "rq:queues", "rq:clean_groups")
