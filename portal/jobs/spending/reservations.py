"""Reserves what questions to a source may cost, before they are sent, and settles them with their answers.

The order makes the promise: what a number may cost at most is reserved, and committed, before it is asked about, and
only as far as every cap has room; the answer's price takes its place in the transaction that saves the answer. So what
was spent and what is reserved never exceed a cap, whoever is killed when.

What a worker that was lost had reserved is not known to be spent. Its journal (`attempt.ask_journal`), which the
process that forked it still has, says which numbers it had sent: their price counts as spent, as the source was
probably asked, and the rest is given back. Without the journal, when a whole machine is lost, all of it counts as
spent after `UNCLAIMED`: a cap that may have been exceeded would be worse than one that is reached early.

Rows of `spending` are locked last, in one order: person, source, portal. Nothing here commits, but `close_lost`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy import ColumnElement, delete, exists, func, or_, select, update

from portal.database import changed_rows, db, upsert
from portal.jobs.core import step_rules, steps
from portal.jobs.core.job_tables import Number, Ticket
from portal.jobs.core.share_tables import Holder
from portal.jobs.core.spending_tables import EVERY_SOURCE, EVERYBODY, Reservation, Spending
from portal.jobs.core.status import ENDED
from portal.jobs.models import ScrapingJob
from portal.jobs.shares import AttemptTaken, Holding, renew
from portal.jobs.spending.caps import caps_of
from portal.sources.base import Outcome
from portal.sources.several import names_of

UNCLAIMED = timedelta(minutes=10)  # the process that forked a lost worker settles it within seconds


@dataclass(frozen=True)
class Account:
    """Whose money is spent, where, and in which currency."""

    user_id: int
    source: str
    currency: str

    @property
    def rows(self) -> list[tuple[int, str]]:
        """The person and the source of each row of `spending` that counts it, in the order in which they are locked."""
        return [
            (self.user_id, self.source), (self.user_id, EVERY_SOURCE), (EVERYBODY, self.source),
            (EVERYBODY, EVERY_SOURCE),
        ]  # fmt: skip


def month_of(now: datetime) -> str:
    """The month by the portal's clock, such as 2026-11."""
    return now.astimezone(ZoneInfo(current_app.config["DEFAULT_TIME_ZONE"])).strftime("%Y-%m")


def add(account: Account, month: str, *, spent: int = 0, unsure: int = 0, reserved: int = 0) -> None:
    """Add to every row that counts the account's money."""
    if not (spent or unsure or reserved):
        return
    more = {"month": month, "currency": account.currency, "spent": spent, "unsure": unsure, "reserved": reserved}
    statement = upsert(
        Spending.__table__, ("month", "user_id", "source", "currency"), add=("spent", "unsure", "reserved")
    )
    db.session.execute(statement, [{**more, "user_id": user_id, "source": source} for user_id, source in account.rows])


def add_spent(changes: Iterable[tuple[Account, str, int]]) -> None:
    """Add to what several accounts have spent, each in a month; less than nothing takes back. The rows of all of them
    are locked in one order: two who do this never wait for each other, nor for `add`."""
    sums: Counter[tuple[int, int, str, str, str]] = Counter()
    for account, month, spent in changes:
        for place, (user_id, source) in enumerate(account.rows):
            sums[place, user_id, source, account.currency, month] += spent
    rows = [
        {"month": month, "user_id": user_id, "source": source, "currency": currency, "spent": spent, "unsure": 0,
         "reserved": 0}
        for (_, user_id, source, currency, month), spent in sorted(sums.items()) if spent
    ]  # fmt: skip
    if rows:
        key = ("month", "user_id", "source", "currency")
        db.session.execute(upsert(Spending.__table__, key, add=("spent",)), rows)


def _own(job_id: int, attempt: int, token: int) -> tuple[ColumnElement[bool], ...]:
    return (Reservation.job_id == job_id, Reservation.attempt == attempt, Reservation.token == token)


def reserve(
    holding: Holding, account: Account, most: int, wanted: int, now: datetime, lease_seconds: float
) -> tuple[int, str]:
    """Reserve for up to `wanted` questions of at most `most` each. Returns for how many there is room under every cap,
    and the month. Raises AttemptTaken."""
    renew(holding, now, lease_seconds)
    money = select(ScrapingJob.cost, ScrapingJob.cost_unsure, ScrapingJob.cost_cap)
    job = db.session.execute(money.where(*holding.fence_of_job).with_for_update(key_share=True)).one_or_none()
    if job is None:
        db.session.rollback()
        raise AttemptTaken
    month = month_of(now)
    _move_to(holding, month, now)
    add_rows(account, month)
    rooms = []
    if job.cost_cap is not None:
        held = select(func.coalesce(func.sum(Reservation.amount), 0)).where(Reservation.job_id == holding.job_id)
        rooms.append(job.cost_cap - job.cost - job.cost_unsure - (db.session.scalar(held) or 0))
    if holding.chain and (step := steps.room_at(holding.job_id, holding.chain.step)) is not None:
        of_source = (Reservation.job_id == holding.job_id, Reservation.source == account.source)
        rooms.append(step - (db.session.scalar(select(func.sum(Reservation.amount)).where(*of_source)) or 0))
    rooms += [cap.amount - cap.used for cap in caps_of(account.user_id, account.source, account.currency, month)]
    count = max(0, min([wanted, *(room // most for room in rooms)]))
    if count:
        add(account, month, reserved=count * most)
        row = {
            "job_id": holding.job_id, "attempt": holding.attempt, "token": holding.token, "month": month,
            "user_id": account.user_id, "source": account.source, "currency": account.currency, "most": most,
            "amount": count * most, "at": now,
        }  # fmt: skip
        key = ("job_id", "attempt", "token")
        db.session.execute(upsert(Reservation.__table__, key, add=("amount",), replace=("month", "at")), row)
    return count, month


def add_rows(account: Account, month: str) -> None:
    """Make sure that the rows are there, and lock them until the commit."""
    key = ("month", "user_id", "source", "currency")
    at = {"month": month, "currency": account.currency}
    rows = [{**at, "user_id": user_id, "source": source, "spent": 0, "unsure": 0, "reserved": 0}
            for user_id, source in account.rows]  # fmt: skip
    # Adding nothing locks each row in this order, the new ones too.
    db.session.execute(upsert(Spending.__table__, key, add=("reserved",)), rows)


def _move_to(holding: Holding, month: str, now: datetime) -> None:
    """Let what the worker has reserved count in the month that has begun: it is settled there."""
    own = _own(holding.job_id, holding.attempt, holding.token)
    row = db.session.execute(select(Reservation).where(*own, Reservation.month != month)).scalar_one_or_none()
    if row is not None:
        account = Account(row.user_id, row.source, row.currency)
        add(account, row.month, reserved=-row.amount)
        add(account, month, reserved=row.amount)
        changed_rows(update(Reservation).where(*own).values(month=month, at=now))


def adopt(holding: Holding, now: datetime) -> int:
    """Take over what is reserved for batches that earlier attempts handed in. Returns for how many questions."""
    kept = _own(holding.job_id, 0, (holding.step or 1) - 1)
    carried = db.session.execute(delete(Reservation).where(*kept).returning(Reservation)).scalar()
    if carried is None:
        return 0
    row = {name: getattr(carried, name) for name in ("month", "user_id", "source", "currency", "most", "amount")}
    db.session.expunge(carried)
    own = {"job_id": holding.job_id, "attempt": holding.attempt, "token": holding.token, "at": now}
    key = ("job_id", "attempt", "token")
    db.session.execute(upsert(Reservation.__table__, key, add=("amount",)), {**own, **row})
    return int(row["amount"] // max(row["most"], 1))


def settle(holding: Holding, account: Account, month: str, *, released: int, spent: int, unsure: int) -> None:
    """Put what answers cost in the place of what was reserved for them, in the transaction that saves them. The job's
    own cost is written with its counters; `unsure` is added here."""
    if released:
        own = _own(holding.job_id, holding.attempt, holding.token)
        changed_rows(update(Reservation).where(*own).values(amount=Reservation.amount - released))
    if unsure:
        _add_unsure(holding.job_id, account.source, unsure)
    add(account, month, spent=spent, unsure=unsure, reserved=-released)


def _add_unsure(job_id: int, source: str, amount: int) -> None:
    job = update(ScrapingJob).where(ScrapingJob.id == job_id)
    # The column has an automatic value on each change, which is not ours to touch.
    several = job.values(cost_unsure=ScrapingJob.cost_unsure + amount, updated_at=ScrapingJob.updated_at)
    if db.session.scalar(several.returning(ScrapingJob.chain)):
        steps.add_unsure(job_id, source, amount)


def close(job_id: int, attempt: int, token: int, asked: Mapping[int, int] | None, now: datetime) -> None:
    """End a worker's reservation: what it had asked, by number of the ledger with how often, counts as spent, what is
    in a batch that the source still has stays reserved, and the rest is given back. `asked` is None when nobody knows:
    then all of it counts as spent. Closed once, by whoever is first."""
    row = db.session.execute(delete(Reservation).where(*_own(job_id, attempt, token)).returning(Reservation)).scalar()
    if row is None:
        return
    account, month, most, amount = Account(row.user_id, row.source, row.currency), row.month, row.most, row.amount
    db.session.expunge(row)
    in_batches = _in_batches(job_id, account.source)
    carried = min(amount, most * len(in_batches))
    if asked is None:
        unsure = amount - carried
    else:
        # Those that have an answer are settled, although their worker may have ended before it noted that.
        over = in_batches | (_answered(job_id, attempt, asked) if asked else set())
        unsure = min(amount - carried, most * sum(times for no, times in asked.items() if no not in over))
    if carried:
        more = {"month": month, "user_id": account.user_id, "source": account.source, "currency": account.currency}
        key = {"job_id": job_id, "attempt": 0, "token": _place(job_id, account.source)}
        kept = {**key, "most": most, "amount": carried, "at": now, **more}
        db.session.execute(upsert(Reservation.__table__, tuple(key), add=("amount",)), kept)
    if unsure:
        _add_unsure(job_id, account.source, unsure)
    add(account, month, unsure=unsure, reserved=carried - amount)


def _place(job_id: int, source: str) -> int:
    """Under which token the reservation for a source's batches is kept: those of several sources do not mix."""
    names = names_of(db.session.scalar(select(ScrapingJob.chain).where(ScrapingJob.id == job_id)) or source)
    return names.index(source) if source in names else 0


def _in_batches(job_id: int, source: str) -> set[int]:
    """The numbers of the ledger, by `no`, that are in a batch which the source has and that wait for its answer."""
    if not (e164s := steps.in_batches(job_id, source)):
        return set()
    waiting = (Number.job_id == job_id, Number.outcome == Outcome.WAITING, Number.e164.in_(e164s))
    return set(db.session.scalars(select(Number.no).where(*waiting)))


def _answered(job_id: int, attempt: int, asked: Mapping[int, int]) -> set[int]:
    columns = (Number.no, Number.outcome, Number.attempt, Number.by_step)
    rows = db.session.execute(select(*columns).where(Number.job_id == job_id, Number.no.in_(asked)))
    return {
        no
        for no, outcome, by, by_step in rows
        # One that has gone on to another source waits for that one.
        if (outcome != Outcome.WAITING and by == attempt)
        or any(said.attempt == attempt for said in step_rules.read(by_step).values())
    }


def close_dead(job_id: int, attempt: int, token: int, asked: Mapping[int, int], now: datetime) -> None:
    """Close the reservation of a worker whose process is gone, by what its journal says. Commits."""
    close(job_id, attempt, token, asked, now)
    db.session.commit()


def close_lost(now: datetime) -> Iterator[tuple[int, int, int]]:
    """Close what nobody has closed: of workers that were lost with their machine, and batches of jobs that have ended.
    Commits after each."""
    holder = (Holder.job_id == Reservation.job_id, Holder.attempt == Reservation.attempt,
              Holder.token == Reservation.token)  # fmt: skip
    key = (Reservation.job_id, Reservation.attempt, Reservation.token)
    held = exists().where(*holder).correlate(Reservation)
    lost = select(*key).where(Reservation.attempt > 0, ~held, Reservation.at < now - UNCLAIMED)
    goes_on = exists().where(
        ScrapingJob.id == Reservation.job_id,
        or_(ScrapingJob.status.not_in(ENDED), ScrapingJob.next_retry_at.is_not(None)),
    )
    tickets = exists().where(Ticket.job_id == Reservation.job_id).correlate(Reservation)
    over = select(*key).where(Reservation.attempt == 0, ~goes_on.correlate(Reservation), ~tickets)
    rows = [tuple(row) for query in (lost, over) for row in db.session.execute(query.limit(500))]
    for job_id, attempt, token in rows:
        close(job_id, attempt, token, None, now)
        db.session.commit()
        yield job_id, attempt, token


__all__ = [
    "Account", "add", "add_rows", "add_spent", "adopt", "close", "close_dead", "close_lost", "month_of", "reserve",
    "settle",
]  # fmt: skip
