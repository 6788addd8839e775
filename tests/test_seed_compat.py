"""`objects`: the seed's way to ask for rows."""

from collections.abc import Callable

import pytest

from portal.accounts import User
from portal.database import db
from portal.jobs.models import ScrapingJob
from portal.seed_compat import Count, DoesNotExist, MultipleObjectsReturned
from tests.support.cast import make_user

MakeJob = Callable[..., ScrapingJob]


@pytest.fixture
def ids(make_job: MakeJob, alice: User, bob: User) -> list[int]:
    """Three jobs: alice's with 1 and 2 numbers, bob's with 3."""
    return [make_job(owner, n).id for owner, n in ((alice, 1), (alice, 2), (bob, 3))]


def found(rows: object) -> list[int]:
    return [job.id for job in rows]  # type: ignore[attr-defined]


def test_rows_are_compared_in_the_ways_the_seed_knows(ids: list[int], bob: User) -> None:
    jobs = ScrapingJob.objects
    assert found(jobs.filter(total_numbers__gt=1)) == ids[1:]
    assert found(jobs.filter(total_numbers__gte=1, total_numbers__lt=3)) == ids[:2]
    assert found(jobs.filter(total_numbers__lte=1)) == ids[:1]
    assert found(jobs.filter(id__in=iter(ids[:2]))) == ids[:2]
    assert found(jobs.filter(completed_at__isnull=True)) == ids
    assert found(jobs.filter(completed_at=None, file_name__icontains="CLIENT")) == ids
    assert found(jobs.filter(file_name__contains="%")) == []
    assert found(jobs.filter(user=bob)) == ids[2:]
    assert found(jobs.exclude(user=bob)) == ids[:2]
    assert found(jobs.order_by("-total_numbers")) == ids[::-1]
    assert (jobs.count(), len(jobs.all()), jobs.all()[0].id) == (3, 3, ids[0])
    assert jobs.filter(id=0).first() is None and not jobs.filter(id=0)


def test_get_gives_the_one_row_or_says_why_not(ids: list[int]) -> None:
    assert ScrapingJob.objects.get(id=ids[1]).total_numbers == 2
    with pytest.raises(DoesNotExist, match="no ScrapingJob with id=0"):
        ScrapingJob.objects.get(id=0)
    with pytest.raises(MultipleObjectsReturned):
        ScrapingJob.objects.get(status="pending")


def test_a_user_name_is_the_address_or_what_stands_before_the_at(alice: User, bob: User) -> None:
    assert User.objects.get(username="bob") is bob
    assert User.objects.get(username="Bob@Example.com") is bob
    with pytest.raises(DoesNotExist):
        User.objects.get(username="bo_")
    make_user("bob@example.org")
    with pytest.raises(MultipleObjectsReturned):
        User.objects.get(username="bob")


def test_values_are_dictionaries_and_counted_by_group(ids: list[int], alice: User, bob: User) -> None:
    assert list(ScrapingJob.objects.filter(id=ids[0]).values("id", "status")) == [{"id": ids[0], "status": "pending"}]
    counted = ScrapingJob.objects.values("user_id").annotate(n=Count("id"))
    assert list(counted) == [{"user_id": alice.id, "n": 2}, {"user_id": bob.id, "n": 1}]


def test_what_does_not_exist_is_said_in_a_sentence(ids: list[int]) -> None:
    with pytest.raises(ValueError, match="has no field 'colour'. Fields: .*status"):
        ScrapingJob.objects.filter(colour="red")
    with pytest.raises(ValueError, match="'near' is not a comparison"):
        ScrapingJob.objects.filter(id__near=3)


def test_looking_neither_saves_nor_loses_what_was_typed_and_not_saved(ids: list[int]) -> None:
    job = ScrapingJob.objects.get(id=ids[0])
    job.max_retries = 9
    assert ScrapingJob.objects.filter(max_retries=9).count() == 0
    assert ScrapingJob.objects.get(id=ids[0]).max_retries == 9
    db.session.rollback()
    assert job.max_retries == 3


def test_a_long_answer_is_printed_in_part(make_job: MakeJob, alice: User) -> None:
    for _ in range(22):
        make_job(alice, 1)
    assert repr(ScrapingJob.objects.all()).count("<ScrapingJob") == 20
    assert repr(ScrapingJob.objects.all()).endswith(", …]")
