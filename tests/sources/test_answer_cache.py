"""Cached answers: which are used, which are looked up again and which are deleted; on both databases."""

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


def test_only_final_answers_are_cached(now: datetime) -> None:
    assert answer_cache.remember("api", "v1", {ONE: FOUND, TWO: REJECTED, THREE: FAILED}, now) == 2
    db.session.commit()
    assert answer_cache.known("api", "v1", [ONE, TWO, THREE], now, days=30) == {ONE: FOUND, TWO: REJECTED}


def test_an_answer_is_cached_for_so_many_days(now: datetime) -> None:
    answer_cache.remember("api", "v1", {ONE: FOUND}, now)
    assert ONE in answer_cache.known("api", "v1", [ONE], now + days(29.9), days=30)
    assert answer_cache.known("api", "v1", [ONE], now + days(30), days=30) == {}
    assert answer_cache.known("api", "v1", [ONE], now + days(1), days=1) == {}


def test_a_source_without_cache_has_no_answers(now: datetime) -> None:
    answer_cache.remember("api", "v1", {ONE: FOUND}, now)
    assert answer_cache.known("api", "v1", [ONE], now, days=0) == {}


def test_the_cache_is_per_source_and_version(now: datetime) -> None:
    answer_cache.remember("api", "v1", {ONE: FOUND}, now)
    assert answer_cache.known("other", "v1", [ONE], now, days=30) == {}
    assert answer_cache.known("api", "v2", [ONE], now, days=30) == {}


def test_a_newer_answer_replaces_an_older_one(now: datetime) -> None:
    answer_cache.remember("api", "v1", {ONE: FOUND}, now)
    answer_cache.remember("api", "v2", {ONE: NOT_FOUND}, now + days(40))
    assert answer_cache.known("api", "v2", [ONE], now + days(41), days=30) == {ONE: NOT_FOUND}
    assert db.session.scalar(select(func.count()).select_from(CachedAnswer)) == 1


def test_what_is_rolled_back_is_not_cached(now: datetime) -> None:
    answer_cache.remember("api", "v1", {ONE: FOUND}, now)
    db.session.rollback()
    assert answer_cache.known("api", "v1", [ONE], now, days=30) == {}


def test_many_numbers_are_read_at_once(now: datetime) -> None:
    many = {f"+346{n:08d}": FOUND for n in range(1200)}
    answer_cache.remember("api", "v1", many, now)
    assert answer_cache.known("api", "v1", iter([*many, "+34700000000"]), now, days=30) == many


def test_old_answers_are_deleted_bit_by_bit(now: datetime) -> None:
    answer_cache.remember("api", "v1", {ONE: FOUND, TWO: FOUND}, now)
    answer_cache.remember("other", "v1", {ONE: FOUND, THREE: FOUND}, now + days(1))
    assert answer_cache.cached_sources() == ["api", "other"]
    assert answer_cache.forget("api", now + days(2), limit=1) == 1
    assert answer_cache.forget("api", now + days(2), limit=3) == 1
    assert answer_cache.forget("api", now + days(2), limit=3) == 0
    assert answer_cache.cached_sources() == ["other"], "another source's answers are not touched"
    answer_cache.remember("api", "v1", {ONE: FOUND}, now)
    assert answer_cache.forget("api", now) == 0


def test_a_cached_answer_keeps_its_age(now: datetime) -> None:
    answer_cache.remember("api", "v1", {ONE: FOUND}, now)
    kept = answer_cache.known("api", "v1", [ONE], now + days(20), days=30)
    assert kept[ONE].asked_at == now
    assert answer_cache.remember("api", "v1", kept, now + days(20)) == 0
    assert answer_cache.known("api", "v1", [ONE], now + days(31), days=30) == {}
