"""Answers that are kept: what is known again, what is asked again, and what is forgotten; on both databases."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from portal.database import db
from portal.sources import answer_cache
from portal.sources.base import Answer, Outcome
from portal.sources.models import CachedAnswer
from tests.support.databases import ON_BOTH

FOUND = Answer(Outcome.FOUND, {"operator": "Ejemplo"})
NOT_FOUND = Answer(Outcome.NOT_FOUND)
REJECTED = Answer(Outcome.REJECTED, reason="rejected")
FAILED = Answer(Outcome.FAILED, reason="temporary")
ONE, TWO, THREE = "+34612000001", "+34612000002", "+34612000003"


pytestmark = [ON_BOTH, pytest.mark.usefixtures("app")]


def days(count: float) -> timedelta:
    return timedelta(days=count)


def test_a_final_answer_is_known_again_and_another_is_not(now: datetime) -> None:
    assert answer_cache.remember("api", "v1", {ONE: FOUND, TWO: REJECTED, THREE: FAILED}, now) == 2
    db.session.commit()
    assert answer_cache.known("api", "v1", [ONE, TWO, THREE], now, days=30) == {ONE: FOUND, TWO: REJECTED}


def test_it_is_known_for_so_many_days_and_then_asked_again(now: datetime) -> None:
    answer_cache.remember("api", "v1", {ONE: FOUND}, now)
    assert ONE in answer_cache.known("api", "v1", [ONE], now + days(29.9), days=30)
    assert answer_cache.known("api", "v1", [ONE], now + days(30), days=30) == {}
    assert answer_cache.known("api", "v1", [ONE], now + days(1), days=1) == {}


def test_a_source_that_keeps_nothing_knows_nothing(now: datetime) -> None:
    answer_cache.remember("api", "v1", {ONE: FOUND}, now)
    assert answer_cache.known("api", "v1", [ONE], now, days=0) == {}


def test_another_source_and_another_version_do_not_know_it(now: datetime) -> None:
    answer_cache.remember("api", "v1", {ONE: FOUND}, now)
    assert answer_cache.known("other", "v1", [ONE], now, days=30) == {}
    assert answer_cache.known("api", "v2", [ONE], now, days=30) == {}


def test_a_newer_answer_takes_the_older_ones_place(now: datetime) -> None:
    answer_cache.remember("api", "v1", {ONE: FOUND}, now)
    answer_cache.remember("api", "v2", {ONE: NOT_FOUND}, now + days(40))
    assert answer_cache.known("api", "v2", [ONE], now + days(41), days=30) == {ONE: NOT_FOUND}
    assert db.session.scalar(select(func.count()).select_from(CachedAnswer)) == 1


def test_what_is_rolled_back_is_not_known(now: datetime) -> None:
    answer_cache.remember("api", "v1", {ONE: FOUND}, now)
    db.session.rollback()
    assert answer_cache.known("api", "v1", [ONE], now, days=30) == {}


def test_many_numbers_are_asked_for_at_once(now: datetime) -> None:
    many = {f"+346{n:08d}": FOUND for n in range(1200)}
    answer_cache.remember("api", "v1", many, now)
    assert answer_cache.known("api", "v1", iter([*many, "+34700000000"]), now, days=30) == many


def test_old_answers_are_removed_bit_by_bit(now: datetime) -> None:
    answer_cache.remember("api", "v1", {ONE: FOUND, TWO: FOUND}, now)
    answer_cache.remember("other", "v1", {ONE: FOUND, THREE: FOUND}, now + days(1))
    assert answer_cache.cached_sources() == ["api", "other"]
    assert answer_cache.forget("api", now + days(2), limit=1) == 1
    assert answer_cache.forget("api", now + days(2), limit=3) == 1
    assert answer_cache.forget("api", now + days(2), limit=3) == 0
    assert answer_cache.cached_sources() == ["other"], "another source's answers are not touched"
    answer_cache.remember("api", "v1", {ONE: FOUND}, now)
    assert answer_cache.forget("api", now) == 0


def test_a_kept_answer_says_when_it_was_asked_for_and_does_not_get_younger(now: datetime) -> None:
    answer_cache.remember("api", "v1", {ONE: FOUND}, now)
    kept = answer_cache.known("api", "v1", [ONE], now + days(20), days=30)
    assert kept[ONE].asked_at == now
    assert answer_cache.remember("api", "v1", kept, now + days(20)) == 0
    assert answer_cache.known("api", "v1", [ONE], now + days(31), days=30) == {}
