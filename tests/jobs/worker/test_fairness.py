"""People take turns at real workers: nobody waits behind another person's long files."""

import pytest

from portal.clock import utcnow
from portal.database import db
from portal.jobs.dispatch import push_job
from portal.jobs.models import ScrapingJob
from tests.services import wait_until
from tests.support import cast
from tests.support.world import World

pytestmark = pytest.mark.slow
MANY = 100_000  # numbers take more than a minute


def test_a_short_file_is_done_before_anothers_long_files(place: World) -> None:
    """One person's long files, more than there are workers, leave one to the next person."""
    alice, bob = cast.make_user("alice@example.com"), cast.make_user("bob@example.com")
    long = [place.make_job(alice, 400, push=False) for _ in range(2)]
    for job_id in long:
        db.session.get_one(ScrapingJob, job_id).total_numbers = MANY
        db.session.commit()
        push_job(job_id, utcnow())
    for _ in range(2):
        place.start("scrape", JOURNAL_SECONDS="0.5")
    wait_until(lambda: place.job(long[0], "processed_numbers") > 0, what="the first long file has answers")
    short = place.make_job(bob, 10)
    place.wait_status(short, "completed")
    assert [place.job(job_id, "status") for job_id in long] == ["processing", "pending"]


def test_a_file_that_had_to_wait_for_its_owners_turn_is_taken_without_a_sweep(place: World) -> None:
    """Its own message was used up by another file."""
    alice = cast.make_user("alice@example.com")
    first, second = place.make_job(alice, 20), place.make_job(alice, 20)
    place.redis.ltrim("rq:queue:scrape", 0, 0)
    place.start("scrape")
    place.wait_status(first, "completed")
    place.wait_status(second, "completed")
    assert (place.job(first, "attempt"), place.job(second, "attempt")) == (1, 1)
