"""Kills a worker at random: before or after any commit, as a kill -9 may. Then its parent settles what it had asked, by
the journal, as in `jobs.worker`."""

import random
import threading
from contextlib import suppress
from dataclasses import replace

import pytest

from portal.causes import CauseCode
from portal.database import db
from portal.jobs.attempt import runner
from portal.jobs.attempt.ask_journal import AskJournal
from portal.jobs.attempt.budget import Budget
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.jobs.spending import reservations
from tests.support.cast import NOW

LONGEST_LIFE = 30  # commits


class _Killed(BaseException):
    """The process ends here."""


class RandomKills:
    """Workers that die one after the other; `luck` draws when."""

    def __init__(self, luck: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
        self._luck, self._monkeypatch = luck, monkeypatch
        self._journal = AskJournal()
        self._commits = self._kill_at = 0
        self.commit = db.session.commit  # that nothing interrupts
        self._end = Budget.end
        monkeypatch.setattr(Budget, "end", lambda budget: self._end_or_die(budget))

    def run(self, job: ScrapingJob, conditions: Conditions) -> ScrapingJob:
        """Run attempts of a job until it ends or pauses, and return it."""
        while job.status not in (Status.COMPLETED, Status.FAILED) and not job.paused_at:
            self._commits, self._kill_at = 0, self._luck.randint(1, LONGEST_LIFE)
            self._monkeypatch.setattr(db.session, "commit", self._commit_or_die)
            with suppress(_Killed):
                runner.run(job.id, job.attempt, replace(conditions, journal=self._journal))
            self._monkeypatch.setattr(db.session, "commit", self.commit)
            db.session.rollback()
            _wait_for_lookups()
            settle_dead(self._journal)
            job = db.session.get_one(ScrapingJob, job.id, populate_existing=True)
            if job.status == Status.PROCESSING:
                ScrapingJob.hand_back(job.id, job.attempt, CauseCode.RESTART, NOW)
                self.commit()
        return job

    def _end_or_die(self, budget: Budget) -> None:
        if self._commits < self._kill_at:
            self._end(budget)
        else:  # a killed process gives nothing back, and its threads send nothing more
            with budget._lock:
                budget._closed = True

    def _commit_or_die(self) -> None:
        self._commits += 1
        if self._commits >= self._kill_at and self._luck.random() < 0.5:
            db.session.rollback()
            raise _Killed
        self.commit()
        if self._commits >= self._kill_at:
            raise _Killed


def _wait_for_lookups() -> None:
    """Until the threads of the killed worker have sent what they had marked as sent. Those of a process end with it."""
    for thread in threading.enumerate():
        if thread.name.startswith("lookup"):
            thread.join(60)
            assert not thread.is_alive()


def settle_dead(journal: AskJournal) -> None:
    """Settle what a worker that is gone had asked, as its parent does."""
    if (of := journal.of()) is not None:
        reservations.close_dead(*of, journal.marked(), NOW)
        journal.end()
