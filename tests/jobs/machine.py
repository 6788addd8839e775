"""A model of one job with three workers, two sweeps, its owner and an admin, who act in any order as time passes.

Each rule does what the portal would do, and predicts from the model alone whether it may succeed. After every step the
database is compared with the model.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import func, select

from portal.causes import CauseCode
from portal.database import db
from portal.jobs import commands, lost_shares, opening, shares
from portal.jobs.attempt import entry, heartbeat, skipped_source
from portal.jobs.attempt import save as saving
from portal.jobs.attempt.held_shares import HeldShares
from portal.jobs.attempt.outcome import AttemptOutcome, Conditions
from portal.jobs.core import derived, ledger
from portal.jobs.core import steps as job_steps
from portal.jobs.core.derived import Action
from portal.jobs.core.job_tables import CellAnswer, Event, EventKind, Number, NumberCell, Opening
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.share_tables import Share
from portal.jobs.core.status import ENDED, MOVES, RETRYABLE, WAITING, Status
from portal.jobs.core.step_rules import read
from portal.jobs.core.step_tables import NextSource, StepRule
from portal.jobs.metrics.models import Metric
from portal.jobs.models import ScrapingJob
from portal.jobs.shares import Holding
from portal.jobs.status_counts import count_by_status
from portal.jobs.sweep import overdue, steps
from portal.notices.models import Notice
from portal.sources.base import FINAL, Answer, Outcome
from portal.sources.several import key_of
from tests.support import cast

LEASE = 60
SKIPPED = "nobody"  # who said what a skipped source did not
BACKOFF = Backoff(base_seconds=120, spread=0)
WORKERS = st.sampled_from(["first", "second", "third"])
ANSWERS = st.lists(
    st.sampled_from([Outcome.FOUND, Outcome.NOT_FOUND, Outcome.REJECTED, Outcome.FAILED]), min_size=1, max_size=3
)
SPANS = st.sampled_from([0, 1, 20, 59, 60, 61, 130, 600, 1799, 1800, 1801, 4000])


class JobMachine(RuleBasedStateMachine):
    """Subclassed for each database; the test sets `app` and `owner_id`."""

    app: Any
    owner_id: int

    @initialize(
        rows=st.integers(1, 9), retries=st.integers(0, 2), twice=st.booleans(), workers=st.sampled_from([3, 2, 1, 0]),
        large=st.booleans(), sources=st.sampled_from([1, 2, 3]),
    )  # fmt: skip
    def begin(self, rows: int, retries: int, twice: bool, workers: int, large: bool, sources: int = 1) -> None:
        self.now = cast.NOW
        cells = [cast.mobile(n) for n in range(rows)] + ([cast.mobile(0)] if twice else []) + ["", "x"]
        owner = db.session.get_one(cast.User, self.owner_id)
        self.rules = ["first", "not_found", "beside"][:sources]
        then = [NextSource(f"source{n}", StepRule(rule)) for n, rule in enumerate(self.rules[1:], start=2)]
        job = cast.make_job(self.app, owner, cells, now=self.now, at_once=0 if large else 100, then=then)
        job.max_retries = retries
        db.session.commit()
        self.id = job.id
        self.holds: dict[str, HeldShares] = {}  # worker → the part of an attempt that it believes in
        self.parts: dict[tuple[int, int], HeldShares] = {}  # attempt and token → the same; its worker may have ended
        self.openers: dict[tuple[int, int], tuple[int, Iterator[ledger.NewLedger]]] = {}  # row, and the pieces below
        self.leases: dict[tuple[int, int], datetime] = {}  # of those that no sweep has taken back
        self.saved: dict[int, str] = {}  # row → committed final answer
        self.said: dict[int, dict[int, tuple[Outcome, str]]] = {}  # row → source → what it said, and to which worker
        self.final_rounds: set[int] = set()  # rounds in which the job failed for good
        self.seen_silent: list[tuple[int, datetime | None]] = []  # what a sweep read and has not acted on yet
        self.before: tuple[Status, int] = (Status.PENDING, 0)
        self.completions = self.corrections = 0
        self.lost_alone: Counter[int] = Counter()  # number → workers lost with nothing else in hand
        self.by_hand = False  # whether the last step was an admin's time-out

        for worker in ["first", "second", "third"][:workers]:  # most runs begin with work under way
            self.join(worker) if self.holds else self.claim(worker, 0)
            if worker in self.holds:
                self.take(worker)

    def teardown(self) -> None:
        db.session.rollback()
        for table in reversed(db.metadata.sorted_tables):  # a sweep must not meet the jobs of earlier runs
            if table.name != "users":
                db.session.execute(table.delete())
        db.session.commit()

    # ── the model's view ────────────────────────────────────────────────────────────────────────────────────────

    def job(self) -> ScrapingJob:
        return db.session.get_one(ScrapingJob, self.id, populate_existing=True)

    def at_work(self, worker: str) -> str:
        """This worker, or another if this one has nothing."""
        return worker if worker in self.holds else next(iter(self.holds))

    def goes_on(self, worker: str) -> bool:
        """Whether the attempt that the worker believes in goes on."""
        job = self.job()
        return job.status == Status.PROCESSING and self.holds[worker].holding.attempt == job.attempt

    def has(self, worker: str) -> bool:
        """Whether the worker still has its part of it."""
        holding = self.holds[worker].holding
        return self.goes_on(worker) and (holding.attempt, holding.token) in self.leases

    def is_open(self) -> bool:
        """Whether the ledger is whole."""
        return db.session.scalar(select(Opening.row_no)) is None

    def others(self, worker: str) -> int:
        mine = self.holds[worker].holding
        return sum(attempt == mine.attempt and token != mine.token for attempt, token in self.leases)

    def begins(self, worker: str, holding: Holding) -> None:
        self.holds[worker] = self.parts[holding.attempt, holding.token] = HeldShares(
            holding, LEASE, 1.0, 3, clock=lambda: 0.0
        )
        self.renew(worker)

    def renew(self, worker: str) -> None:
        holding = self.holds[worker].holding
        self.leases[holding.attempt, holding.token] = self.now + timedelta(seconds=LEASE)

    def ends(self, worker: str) -> AttemptOutcome:
        conditions = Conditions(worker, LEASE, BACKOFF, clock=lambda: self.now)
        return AttemptOutcome(self.holds[worker].holding, conditions)

    def done(self, moved: object) -> bool:
        db.session.commit()
        return bool(moved)

    # ── workers ─────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(worker=WORKERS, stale=st.integers(0, 1))
    def claim(self, worker: str, stale: int) -> None:
        job = self.job()
        due = not job.not_before or job.not_before <= self.now
        may = job.status in WAITING and not job.paused_at and not stale and due
        message = job.attempt - stale
        claimed = ScrapingJob.claim(self.id, message, self.now, worker=worker, lease_seconds=LEASE)
        holding = shares.hold(claimed, worker, self.now, LEASE) if claimed else None
        assert self.done(claimed) is may
        if holding:
            self.begins(worker, holding)

    @rule(worker=WORKERS)
    def join(self, worker: str) -> None:
        job = self.job()
        alive = any(attempt == job.attempt and until >= self.now for (attempt, _), until in self.leases.items())
        going = job.status == Status.PROCESSING and not job.paused_at and not job.not_before
        is_open = self.is_open() and job.skipped_step is None
        may = going and alive and is_open and bool(self.nobodys())
        holding = shares.join(self.id, job.attempt, self.now, worker=worker, lease_seconds=LEASE, most=None)
        db.session.commit()
        if holding:
            assert going and alive and is_open, "a worker joined an attempt that is over, or has not begun"
            self.begins(worker, holding)
        else:
            assert not may, "a worker could not join"

    @precondition(lambda self: self.holds and not self.is_open())
    @rule(worker=WORKERS)
    def open(self, worker: str) -> None:
        """A worker writes one more piece of the ledger, though it may have lost the job since it read it."""
        worker = self.at_work(worker)
        holding, may = self.holds[worker].holding, self.has(worker)
        key = (holding.attempt, holding.token)
        if key not in self.openers:
            rest = opening.left_to_open(self.id)
            assert rest is not None
            self.openers[key] = rest.row_no, rest.pieces()
        after_row, pieces = self.openers[key]
        db.session.commit()
        if (piece := next(pieces, None)) is None:
            return
        try:
            opening.write_piece(holding, after_row, piece, self.now, LEASE, repeated=False)
        except shares.AttemptTaken:
            assert not may, "a worker that has its part was fenced"
            return
        assert may, "a late worker opened the ledger"
        self.openers[key] = piece.last_row, pieces
        self.renew(worker)

    @precondition(lambda self: self.holds)
    @rule(worker=WORKERS)
    def take(self, worker: str) -> None:
        worker = self.at_work(worker)
        if not self.is_open():  # what a worker does first
            self.open(worker)
            return
        if self.job().skipped_step is not None:
            self.move_on(worker)
            return
        may, nobodys, job = self.has(worker), self.nobodys(), self.job()
        stops = job.paused_at is not None or job.not_before is not None
        db.session.commit()
        held = self.holds[worker]
        try:
            taken = held.take(self.now, group=1, window=1, suspects=not held)
        except shares.AttemptTaken:
            assert not may, "a worker that has its part was fenced"
            return
        assert may, "a late worker took a share"
        self.renew(worker)
        numbers = {number.no for number in taken.values()}
        assert numbers <= nobodys, "a worker took what another has"
        if not held.suspects_left:
            assert bool(numbers) is (bool(nobodys) and not stops), "numbers that nobody has were not given out"
        else:
            assert nobodys and set(held) and not numbers, "a worker with free hands got no suspects"

    @precondition(lambda self: self.holds)
    @rule(worker=WORKERS, outcomes=ANSWERS)
    def save(self, worker: str, outcomes: list[Outcome]) -> None:
        worker = self.at_work(worker)
        may, held = self.has(worker), self.holds[worker]
        own = list(held.items())[: len(outcomes)]
        db.session.commit()
        looked = [
            saving.LookedUp(number, Answer(outcome, {"by": worker}, "temporary" if outcome == Outcome.FAILED else None))
            for (_, number), outcome in zip(own, outcomes, strict=False)
        ]
        committed: list[Any] = []
        try:
            saving.save(
                held.holding, looked, self.now, LEASE, lambda *_: committed.append(held.finish([n.no for _, n in own]))
            )
        except shares.AttemptTaken:
            assert not may, "a worker that has its part was fenced"
            return
        assert may, "a late worker wrote"
        self.renew(worker)
        committed[0]()
        held.forget([e164 for e164, _ in own])
        step = held.holding.step or 1
        for one in looked:
            said = self.said.setdefault(one.number.no, {})
            assert said.get(step, (Outcome.FAILED,))[0] == Outcome.FAILED, "a source was asked twice"
            said[step] = one.answer.outcome, worker
            if (ended := self.ended(said)) is not None:
                self.saved[one.number.no] = ended

    def ended(self, said: dict[int, tuple[Outcome, str]]) -> str | None:
        """What is final of a number of which the sources have said this; None: another has to be asked, or again."""
        for step, of_step in enumerate(self.rules, start=1):
            before = [outcome for other, (outcome, _) in said.items() if other < step]
            if of_step == "not_found" and Outcome.FOUND in before:
                continue
            if said.get(step, ())[1:] == (SKIPPED,) and of_step != "beside" and self.found_instead(said):
                continue
            if step not in said or said[step][0] == Outcome.FAILED:
                return None
        best = [Outcome.FOUND, Outcome.NOT_FOUND, Outcome.REJECTED, Outcome.FAILED]
        outcome, by = min(said.values(), key=lambda one: best.index(one[0]))
        return f"{outcome} by {by}"

    def found_instead(self, said: dict[int, tuple[Outcome, str]]) -> bool:
        """Whether a source that is asked instead of one before it has found the number."""
        return any(
            said.get(step, ())[:1] == (Outcome.FOUND,) for step, of in enumerate(self.rules, 1) if of == "not_found"
        )

    @precondition(lambda self: self.holds)
    @rule(worker=WORKERS)
    def beat(self, worker: str) -> None:
        worker = self.at_work(worker)
        may = self.has(worker)
        db.session.commit()
        assert heartbeat.beat(db.engine, self.holds[worker].holding, self.now, LEASE) is may
        if may:
            self.renew(worker)

    @precondition(lambda self: self.holds)
    @rule(worker=WORKERS)
    def complete(self, worker: str) -> None:
        worker = self.at_work(worker)
        job = self.job()
        may = self.goes_on(worker) and job.processed_numbers == job.total_numbers and self.is_open()
        db.session.commit()
        assert self.ends(worker)._end_complete() == (Status.COMPLETED if may else None)
        self.completions += may

    @precondition(lambda self: self.holds)
    @rule(worker=WORKERS, end=st.sampled_from(["fail", "hand_back", "wait"]))
    def leave(self, worker: str, end: str) -> None:
        worker = self.at_work(worker)
        may, others, job = self.has(worker), self.others(worker), self.job()
        noted, step, ends = job.not_before, job.step, self.ends(worker)
        held = self.holds.pop(worker)
        left = bool(held) or shares.anything_left(self.id, held.holding.attempt)
        db.session.commit()
        if end == "fail":
            status = ends._end_failed("numbers_unanswered")
        else:
            cause, until = ("source_busy", self.now + timedelta(seconds=90)) if end == "wait" else ("restart", None)
            status = ends._end_handed_back(cause, until)
        if not may:
            assert status is None, "a late worker ended the attempt"
            return
        del self.leases[held.holding.attempt, held.holding.token]
        if others:
            assert status == Status.PROCESSING, "the attempt ended while others worked on it"
            return
        goes_on = job.chain and any(one.outcome == Outcome.WAITING and one.step != step for one in self.numbers())
        gave_up = end == "fail" and noted is None and not left and not goes_on
        assert status == (Status.FAILED if gave_up else Status.RETRYING), "numbers that nobody asked for are given up"

    def nobodys(self) -> set[int]:
        """The waiting numbers of the attempt that no worker has, as the model knows it."""
        attempt = self.job().attempt
        mine = {number.no for key in self.leases if key[0] == attempt for number in self.parts[key].values()}
        waits = self.waiting()
        db.session.commit()
        return waits - mine

    def waiting(self) -> set[int]:
        """The numbers that wait at the source at which the job is."""
        job = self.job()
        return {number.no for number in ledger.waiting(self.id, step=job.step if job.chain else None).values()}

    # ── sweeps ──────────────────────────────────────────────────────────────────────────────────────────────────

    @rule()
    def sweep(self) -> None:
        job = self.job()
        lost = job.status == Status.PROCESSING and job.lease_until is not None and job.lease_until < self.now
        waits = self.waiting()
        db.session.commit()
        quiet = {key for key, until in self.leases.items() if until < self.now}
        for key in quiet:
            if key[0] == job.attempt and job.status == Status.PROCESSING:
                in_hand = [number for number in self.parts[key].values() if number.no in waits]
                in_hand = [number for number in in_hand if number.suspicion] or in_hand
                self.lost_alone.update([in_hand[0].no] if len(in_hand) == 1 else [])
        assert len([*steps.take_back_lost(self.now)]) == int(lost)
        assert {(one.attempt, one.token) for one in lost_shares.take_back_lost(self.now)} <= quiet
        for key in quiet:
            del self.leases[key]
        lost_shares.delete_old()
        [*steps.time_out_silent(self.now)]
        [*steps.retry_due(self.now)]

    @rule()
    def second_sweep_looks(self) -> None:
        self.seen_silent = [(job.attempt, job.last_progress_at) for job in overdue.silent_jobs(self.now)]
        db.session.commit()

    @precondition(lambda self: self.seen_silent)
    @rule()
    def second_sweep_acts(self) -> None:
        attempt, progress_at = self.seen_silent.pop()
        job = self.job()
        may = (job.status, job.attempt, job.last_progress_at) == (Status.PROCESSING, attempt, progress_at)
        assert self.done(ScrapingJob.time_out(self.id, attempt, progress_at, self.now, BACKOFF)) is may

    @rule(seconds=SPANS)
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.holds)
    @rule(worker=WORKERS)
    def one_works_to_the_end(self, worker: str) -> None:
        """A worker takes and saves all that it can get. Then all find that nothing is left, and complete the job."""
        worker = self.at_work(worker)
        for _ in range(10):
            self.take(worker)
            self.save(worker, [Outcome.FOUND] * 9)
        for each in list(self.holds):
            self.complete(each)

    @precondition(lambda self: len(self.holds) > 1)
    @rule(worker=WORKERS, then=st.sampled_from(["saves", "takes", "sleeps on"]))
    def one_falls_silent(self, worker: str, then: str) -> None:
        """Time passes while all others beat; it may wake after the sweep."""
        worker = self.at_work(worker)
        for _ in range(3):
            for other in self.holds:
                if other != worker:
                    self.beat(other)
            self.now += timedelta(seconds=LEASE / 2)
        self.sweep()
        if then == "saves":
            self.save(worker, [Outcome.FOUND])
        elif then == "takes":
            self.take(worker)

    @rule(worker=WORKERS)
    def one_is_killed_by_what_it_looks_up(self, worker: str) -> None:
        """Again and again, while the others beat."""
        for _ in range(4):
            if self.job().status in WAITING:
                self.claim(worker, 0)
            elif worker not in self.holds or not self.has(worker):
                self.join(worker)
            if worker in self.holds:
                self.take(worker)
                self.one_falls_silent(worker, "sleeps on")
                self.holds.pop(worker, None)

    # ── people ──────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(stale=st.booleans())
    def retry(self, stale: bool) -> None:
        job = self.job()
        unanswered = job.total_numbers - job.processed_numbers
        may = job.status in (*RETRYABLE, Status.CANCELLED) and not stale and unanswered > 0
        assert self.done(commands.retry(self.id, job.round - stale, "alice", self.now)) is may

    @precondition(lambda self: self.before[0] in ENDED)  # most runs are for the workers
    @rule(stale=st.booleans(), row=st.integers(2, 13), known=st.booleans(), twice=st.booleans())
    def correct(self, stale: bool, row: int, known: bool, twice: bool) -> None:
        """A person writes a number beside a cell: a new one or one of the job's, alone or with another."""
        job = self.job()
        at = self.rows_to_fix()
        ends = job.status in ENDED and job.next_retry_at is None and self.is_open()
        own = cast.mobile(row % 9) if known else cast.mobile(20 + self.corrections)
        numbers = f"+34{own}" + (f" / +34{cast.mobile(40 + self.corrections)}" if twice else "")
        asked = {one.e164 for one in self.numbers() if one.outcome not in FINAL}
        may = ends and not stale and row in at and at[row] != numbers
        moved = ScrapingJob.correct(self.id, job.round - stale, {(row, 0): numbers}, "alice", self.now)
        assert self.done(moved) is may
        if may:
            self.corrections += 1
            new = {one.e164 for one in self.numbers() if one.outcome not in FINAL} - asked
            assert new <= {*numbers.split(" / ")}, "a number that nobody wrote is looked up"

    def numbers(self) -> list[Number]:
        query = select(Number).where(Number.job_id == self.id)
        return list(db.session.scalars(query, execution_options={"populate_existing": True}))

    def rows_to_fix(self) -> dict[int, str | None]:
        """The rows that can be corrected, with their corrections so far."""
        bad = CellAnswer.outcome.in_((Outcome.FAILED, Outcome.INVALID, Outcome.REJECTED))
        found = db.session.scalars(select(CellAnswer).where(CellAnswer.job_id == self.id, bad))
        return {one.row_no: one.corrected for one in found}

    @precondition(lambda self: len(self.rules) > 1)
    @rule(stale=st.booleans())
    def skip_source(self, stale: bool) -> None:
        """A person goes on with the next source while the present one holds the file up."""
        job = self.job()
        behind, unanswered = job.step < len(self.rules), job.total_numbers > job.processed_numbers
        waits = job.status in WAITING and not job.paused_at and job.wait_cause == CauseCode.SOURCE_BUSY
        held_up = waits or (job.status in RETRYABLE and job.last_error != CauseCode.SOURCE_SKIPPED)
        may = behind and unanswered and held_up and not stale
        assert (Action.SKIP_SOURCE in derived.actions(job)) is (behind and unanswered and held_up)
        db.session.commit()
        done = commands.skip_source(self.id, job.round - stale, "alice", self.now)
        assert self.done(done) is may
        if may:
            assert self.job().skipped_step == job.step - 1

    @precondition(lambda self: self.holds and len(self.rules) > 1)
    @rule(worker=WORKERS)
    def a_source_refuses_and_is_skipped(self, worker: str) -> None:
        """All workers leave, the person goes on, and a worker looks numbers up at the next source."""
        for each in list(self.holds):
            self.leave(each, "wait")
        if self.job().status in WAITING:
            self.skip_source(stale=False)
            self.claim(worker, 0)
        if worker in self.holds:
            self.move_on(worker)
            self.take(worker)
            self.save(worker, [Outcome.FOUND, Outcome.NOT_FOUND])

    @precondition(lambda self: self.holds)
    @rule(worker=WORKERS)
    def move_on(self, worker: str) -> None:
        """A worker moves on what waits at a skipped source, though it may have lost the job since it was skipped."""
        worker = self.at_work(worker)
        may, holding, job = self.has(worker), self.holds[worker].holding, self.job()
        if job.skipped_step is None or not self.is_open():
            return
        moved = [one.no for one in self.numbers() if one.outcome == Outcome.WAITING and one.step <= job.skipped_step]
        entered, conditions = entry.Entered.of(holding, job), Conditions(worker, LEASE, BACKOFF, clock=lambda: self.now)
        db.session.commit()
        try:
            assert skipped_source.move_on(holding, entered, conditions) is None
        except shares.AttemptTaken:
            assert not may, "a worker that has its part was fenced"
            return
        assert may or not moved, "a late worker moved numbers on"
        if may:
            self.renew(worker)
        for one in self.numbers():
            if one.no in moved:
                for step, said in read(one.by_step).items():
                    if said.skipped and step not in self.said.get(one.no, {}):
                        self.said.setdefault(one.no, {})[step] = Outcome.FAILED, SKIPPED

    @rule()
    def cancel(self) -> None:
        may = Status.CANCELLED in MOVES[self.job().status]
        assert self.done(ScrapingJob.cancel(self.id, "alice", self.now)) is may

    @rule()
    def pause(self) -> None:
        ScrapingJob.pause(self.id, "alice", self.now)
        db.session.commit()

    @rule()
    def resume(self) -> None:
        may = self.job().paused_at is not None
        assert self.done(ScrapingJob.resume(self.id, "alice", self.now)) is may

    @rule()
    def admin_times_out(self) -> None:
        may = self.job().status == Status.PROCESSING
        self.by_hand = True
        assert self.done(ScrapingJob.time_out_by_hand(self.id, "ada", "hangs", self.now, BACKOFF)) is may

    # ── invariants ──────────────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def all_holds(self) -> None:
        job = self.job()
        self.holds_together(job)
        self.every_row_is_accounted_for(job)
        self.the_figures_count_it_once_and_as_it_stands(job)
        self.only_what_stopped_its_worker_alone_is_given_up()
        self.people_are_told_once()
        self.it_is_completed_once()
        self.no_number_of_an_attempt_is_forgotten_or_held_twice(job)
        self.each_source_counts_what_it_has_said(job)
        db.session.commit()

    def holds_together(self, job: ScrapingJob) -> None:
        status, attempt = self.before
        assert job.status == status or job.status in MOVES[status] or self._two_moves(status, job.status)
        assert job.attempt >= attempt
        if job.status == Status.TIMEOUT != status and not self.by_hand:
            since = job.last_progress_at or job.started_at
            assert since and self.now - since > timedelta(minutes=job.timeout_minutes), "a job that moves was timed out"
        self.before, self.by_hand = (job.status, job.attempt), False
        assert (job.lease_until is not None) == (job.status == Status.PROCESSING)
        assert job.retry_count <= job.max_retries
        assert (job.status == Status.COMPLETED) <= (job.processed_numbers == job.total_numbers)
        if job.status in RETRYABLE and job.next_retry_at is None:
            self.final_rounds.add(job.round)

    def _two_moves(self, before: Status, after: Status) -> bool:
        """One sweep may time a job out and retry one that was due: two moves in one step."""
        return any(after in MOVES[between] for between in MOVES[before])

    def every_row_is_accounted_for(self, job: ScrapingJob) -> None:
        rows = db.session.execute(
            select(CellAnswer.number_no, CellAnswer.outcome, CellAnswer.answer).where(CellAnswer.job_id == self.id)
        ).all()
        counts = {outcome: sum(row.outcome == outcome for row in rows) for outcome in Outcome}
        if not self.is_open():
            assert counts[Outcome.WAITING] + counts[Outcome.INVALID] == len(rows) < job.total_numbers
            assert job.processed_numbers == job.invalid_count, "the counts are those of the check"
            db.session.commit()
            return
        assert len(rows) == job.total_numbers
        assert sum(counts[outcome] for outcome in FINAL) == job.processed_numbers
        assert [job.found_count, job.not_found_count, job.invalid_count, job.rejected_count, job.failed_count] == [
            counts[o] for o in (Outcome.FOUND, Outcome.NOT_FOUND, Outcome.INVALID, Outcome.REJECTED, Outcome.FAILED)
        ]
        kept = {
            one.no: f"{one.outcome} by {one.answer[key_of('by', one.step)]}"
            for one in self.numbers()
            # One that is given up keeps what other sources have said of it.
            if one.answer and one.outcome in FINAL and one.reason != CauseCode.STOPS_WORKER
        }
        assert kept == self.saved, "a saved answer changed or is gone"
        cells = select(NumberCell.number_no, NumberCell.row_no, NumberCell.repeats).where(NumberCell.job_id == self.id)
        standing = [tuple(row) for row in db.session.execute(cells) if row.number_no]
        for one in self.numbers():
            of_one = [(row_no, repeats) for no, row_no, repeats in standing if no == one.no]
            assert len(of_one) == one.cells and (one.cells or one.outcome in FINAL)
            assert not one.cells or [row_no for row_no, repeats in of_one if not repeats] == [one.first_row]

    def the_figures_count_it_once_and_as_it_stands(self, job: ScrapingJob) -> None:
        ended = job.status in ENDED and job.next_retry_at is None
        sums = select(Metric.outcome, Metric.jobs, Metric.found).where(Metric.user_id == 0, Metric.grain == 0)
        counted = [tuple(row) for row in db.session.execute(sums) if row.jobs]
        assert counted == ([(job.status, 1, job.found_count)] if ended else [])
        assert (job.ended_at is not None) == ended
        assert count_by_status() == {status: int(status == job.status) for status in Status}

    def only_what_stopped_its_worker_alone_is_given_up(self) -> None:
        given_up = select(CellAnswer.number_no).where(
            CellAnswer.job_id == self.id, CellAnswer.reason == CauseCode.STOPS_WORKER
        )
        assert all(self.lost_alone[no] >= 3 for no in db.session.scalars(given_up)), "an innocent number is given up"

    def people_are_told_once(self) -> None:
        told = select(func.count()).where(Notice.job_id == self.id, Notice.kind == "job_failed")
        assert db.session.scalar(told) == len(self.final_rounds)

    def it_is_completed_once(self) -> None:
        written = select(func.count()).where(Event.job_id == self.id, Event.kind == EventKind.COMPLETED)
        assert db.session.scalar(written) == self.completions <= 1 + self.corrections

    def no_number_of_an_attempt_is_forgotten_or_held_twice(self, job: ScrapingJob) -> None:
        if job.status == Status.PROCESSING:
            waits = self.waiting()
            of_attempt = select(Share.first_no, Share.last_no).where(
                Share.job_id == self.id, Share.attempt == job.attempt
            )
            given = [no for first, last in db.session.execute(of_attempt) for no in range(first, last + 1)]
            assert len(given) == len(set(given)), "two shares have the same number"
            assert all(no in given or (job.next_no is not None and no >= job.next_no) for no in waits)

    def each_source_counts_what_it_has_said(self, job: ScrapingJob) -> None:
        rows = job_steps.of_job(job)
        kept = (
            [(one.arrived, one.found, one.not_found, one.rejected, one.failed, one.skipped) for one in rows],
            job.passed_on,
        )
        if job.chain and self.is_open():
            job_steps.recount(job)
            again = (
                [(one.arrived, one.found, one.not_found, one.rejected, one.failed, one.skipped) for one in rows],
                job.passed_on,
            )
            assert kept == again, "the sources' counts are not those of the numbers"
        db.session.rollback()
