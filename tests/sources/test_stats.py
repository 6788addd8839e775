"""Recent answers of a source, counted by the minute, on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from portal.database import db
from portal.sources import stats
from portal.sources.base import Outcome
from portal.sources.models import SourceMinute
from tests.support.cast import NOW
from tests.support.databases import ON_BOTH

FOUND, FAILED = Outcome.FOUND, Outcome.FAILED


pytestmark = [ON_BOTH, pytest.mark.usefixtures("app")]


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def test_a_minute_is_one_row_for_each_outcome() -> None:
    for second in (0, 20, 59):
        stats.count("api", {FOUND: 10, FAILED: 1}, NOW + timedelta(seconds=second))
    stats.count("api", {FOUND: 5}, NOW + minutes(1))
    assert stats.since(["api"], NOW) == {"api": {FAILED: 3, FOUND: 35}}
    assert db.session.scalar(select(func.count()).select_from(SourceMinute)) == 3


def test_old_counts_are_not_shown_and_then_deleted() -> None:
    stats.count("api", {FOUND: 10}, NOW)
    stats.count("other", {FOUND: 1}, NOW + minutes(30))
    assert stats.since(["api", "other"], NOW + minutes(1)) == {"other": {FOUND: 1}}
    assert stats.forget(NOW + minutes(119)) == 0
    assert stats.forget(NOW + minutes(121)) == 1


def test_what_is_rolled_back_was_not_counted() -> None:
    stats.count("api", {FOUND: 10}, NOW)
    db.session.rollback()
    assert stats.since(["api"], NOW) == {}


def test_zero_answers_make_no_row() -> None:
    stats.count("api", {FOUND: 0}, NOW)
    stats.count("api", {}, NOW)
    assert db.session.scalar(select(func.count()).select_from(SourceMinute)) == 0
