"""Files that are looked up again at fixed times."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import select

from portal.accounts import User
from portal.database import db
from portal.jobs import repeats
from portal.jobs.attempt import runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.repeat_rule import LAST_DAY, Every, RepeatRule
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.notices.models import Channel, Notice
from portal.sources.base import Answer, Outcome
from tests.support.cast import NOW, make_job, mobile
from tests.support.databases import ON_BOTH
from tests.support.sources import CountingSource

ZONES = ("Europe/Madrid", "America/Mexico_City", "Atlantic/Canary", "Asia/Tokyo", "America/Santiago")
MONDAYS = RepeatRule(Every.WEEK, 0, time(8), "Europe/Madrid")
YEAR = timedelta(days=366)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("at", [time(8), time(2, 30), time(0), time(23, 59)], ids=str)
@pytest.mark.parametrize(("every", "day"), [(Every.WEEK, 0), (Every.MONTH, LAST_DAY), (Every.DAY, 0)])
def test_a_year_of_times_is_right_on_the_wall_clock(zone: str, at: time, every: Every, day: int) -> None:
    rule = RepeatRule(every, day, at, zone)
    moment, days = NOW, []
    while moment < NOW + YEAR:
        moment = rule.next_after(moment)
        local = moment.astimezone(ZoneInfo(zone))
        moved = local.replace(tzinfo=None) - datetime.combine(local.date(), at)
        gap = local.replace(tzinfo=None) != local.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        exists = _exists(local.date(), at, zone)
        assert not gap and (moved == timedelta(0) if exists else timedelta(0) < moved <= timedelta(hours=1))
        days.append(local.date())
    assert len(set(days)) == len(days)  # each day once, the one with two 2:30 too
    if every == Every.WEEK:
        assert {one.weekday() for one in days} == {0} and len(days) in (53, 54)
    elif every == Every.MONTH:
        assert all((one + timedelta(days=1)).day == 1 for one in days) and len(days) in (12, 13)
    else:
        assert len(days) in (366, 367)


def _exists(day: object, at: time, zone: str) -> bool:
    wall = datetime.combine(day, at)  # type: ignore[arg-type]
    return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == wall


@pytest.fixture
def done(app: Flask, alice: User, counting: CountingSource) -> ScrapingJob:
    job = make_job(app, alice, 3, source="counting")
    complete(job, NOW)
    return job


def complete(job: ScrapingJob, now: datetime) -> None:
    given = Conditions(worker="w", lease_seconds=60, backoff=Backoff(), clock=lambda: now)
    assert runner.run(job.id, job.attempt, given) == Status.COMPLETED
    db.session.refresh(job)


def passes(since: datetime, until: datetime, step: timedelta) -> Iterator[datetime]:
    while since < until:
        yield (since := since + step)


@ON_BOTH
class TestStarting:
    def test_each_monday_starts_one_job_and_a_day_off_is_made_up_for_once(self, done: ScrapingJob) -> None:
        repeats.set_repeat(done, MONDAYS, NOW)
        ids: list[int] = []
        for now in passes(NOW, NOW + timedelta(days=29), timedelta(hours=3)):
            if timedelta(days=8) < now - NOW < timedelta(days=18):
                continue  # the portal is off over at least one Monday
            ids += repeats.run_due(now)
            ids += repeats.run_due(now)  # a second sweep at the same moment
        jobs = [db.session.get_one(ScrapingJob, job_id) for job_id in ids]
        assert len({job.repeat_at for job in jobs}) == len(jobs) and 3 <= len(jobs) <= 4
        assert all(job.repeat_at.astimezone(ZoneInfo("Europe/Madrid")).hour == 8 for job in jobs if job.repeat_at)
        assert {job.total_numbers for job in jobs} == {3}

    def test_a_sweep_that_dies_before_it_notes_the_next_time_starts_none_twice(
        self, done: ScrapingJob, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        repeat = repeats.set_repeat(done, MONDAYS, NOW)
        due = repeat.next_at

        def dies(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(repeats, "_note", dies)
            with pytest.raises(KeyboardInterrupt):
                list(repeats.run_due(due))
        db.session.rollback()
        assert len(list(repeats.run_due(due))) == 1
        assert len(list(db.session.scalars(select(ScrapingJob)))) == 2

    def test_a_repeated_file_is_asked_about_anew_and_says_what_changed(
        self, done: ScrapingJob, counting: CountingSource, alice: User
    ) -> None:
        counting.script = lambda e164: Answer(Outcome.FOUND, {"seen": f"{e164}{'!' if e164.endswith('1') else ''}"})
        due = repeats.set_repeat(done, MONDAYS, NOW).next_at
        (job_id,) = repeats.run_due(due)
        job = db.session.get_one(ScrapingJob, job_id)
        complete(job, due)
        assert set(counting.calls.values()) == {2}
        assert repeats.job_before_of(job) == done and repeats.count_since(done, job) == 1
        (change,) = repeats.changes_since(done, job)
        assert (change.e164, change.now) == (f"+34{mobile(1)}", {"seen": f"+34{mobile(1)}!"})
        assert mails_of(job) == 1

    def test_nothing_changed_sends_no_email(self, done: ScrapingJob) -> None:
        due = repeats.set_repeat(done, MONDAYS, NOW).next_at
        (job_id,) = repeats.run_due(due)
        job = db.session.get_one(ScrapingJob, job_id)
        complete(job, due)
        assert mails_of(done) == 1 and mails_of(job) == 0

    def test_it_ends_when_a_person_says_so_or_the_document_is_gone(self, done: ScrapingJob) -> None:
        due = repeats.set_repeat(done, MONDAYS, NOW).next_at
        assert repeats.stop(done, NOW) and not repeats.stop(done, NOW)
        assert list(repeats.run_due(due)) == []
        repeats.set_repeat(done, MONDAYS, NOW)
        done.deleted_at = NOW  # the trash has it
        db.session.commit()
        assert list(repeats.run_due(due)) == [] and repeats.of_job(done) is None


def mails_of(job: ScrapingJob) -> int:
    mails = select(Notice).where(Notice.job_id == job.id, Notice.channel == Channel.MAIL)
    return len(list(db.session.scalars(mails)))
