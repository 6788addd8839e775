"""People take turns at real workers: nobody waits behind another person's long files."""

from pathlib import Path

import pytest

from portal.clock import utcnow
from portal.database import db
from portal.jobs.dispatch import push_job
from tests.services import wait_until
from tests.support import cast
from tests.support.misbehaving import misbehaving
from tests.support.preloaded import Preloaded
from tests.support.recipes import recipe
from tests.support.world import World, world

pytestmark = pytest.mark.slow
MANY = 100_000  # numbers take more than a minute
RATE = 40  # requests a second


def test_ten_numbers_do_not_wait_for_ten_long_files_at_a_slow_source(tmp_path: Path, forks: Preloaded) -> None:
    """Neither at another source, nor at the same one: they are done before the others' second hundred. The long files,
    more than there are workers, leave one to the next person."""
    (folder := tmp_path / "sources").mkdir()
    with misbehaving() as slow:
        secret = 'headers = { Authorization = "Bearer {secret:TEST_KEY}" }'
        recipe(folder, "json", slow.url, rate=f"{RATE}/s", concurrency=8, changed=(secret, ""))
        settings = {"SOURCES_DIR": str(folder), "SOURCES_ALLOW_PRIVATE": "127.0.0.0/8"}
        settings |= {"SOURCES_PORTS": slow.url.rpartition(":")[2]}
        with world(tmp_path / "portal", forks, **settings) as place:
            alice, bob = cast.make_user("alice@example.com"), cast.make_user("bob@example.com")
            for n in range(10):
                job = cast.make_job(
                    place.app, alice, [cast.mobile(1000 * n + m) for m in range(300)], source="json-test"
                )
                job.total_numbers = MANY
                db.session.commit()
                push_job(job.id, utcnow())
            for _ in range(3):
                place.start("scrape")
            wait_until(lambda: len(slow.calls) >= 20, what="the long files are under way")
            before = len(slow.calls)
            elsewhere = place.make_job(bob, 10)
            place.wait_status(elsewhere, "completed")
            assert len(slow.calls) - before <= 3 * RATE, "within three seconds, by the source's clock"
            ten = [cast.mobile(90_000 + m) for m in range(10)]
            same = cast.make_job(place.app, bob, ten, source="json-test").id
            push_job(same, utcnow())
            place.wait_status(same, "completed")
            theirs = [at for at, number in enumerate(slow.calls) if number[-9:] in ten]
            assert theirs[-1] - theirs[0] + 1 - len(theirs) < 100, "before the others' next hundred"
            assert place.query("SELECT count(*) FROM scraping_jobs WHERE status = 'processing'") == [(2,)]


def test_a_file_that_had_to_wait_for_its_owners_turn_is_taken_without_a_sweep(place: World) -> None:
    """Its own message was used up by another file."""
    alice = cast.make_user("alice@example.com")
    first, second = place.make_job(alice, 20), place.make_job(alice, 20)
    place.redis.ltrim("rq:queue:scrape", 0, 0)
    place.start("scrape")
    place.wait_status(first, "completed")
    place.wait_status(second, "completed")
    assert (place.job(first, "attempt"), place.job(second, "attempt")) == (1, 1)
