"""Queries of the metrics over one period: by piece of time, by source and by person, for everybody or for one person.

A query reads the days that are wholly in the period, and hours and quarters of an hour of the two days at its edges. A
day of the reader's zone consists of two UTC days that its borders cut: of each, the shorter side is read, and the other
side is the rest of the day.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, Select, cast, func, literal_column, select

from portal.accounts import User
from portal.database import db
from portal.jobs.core.status import Status
from portal.jobs.metrics.models import ANSWERS, DAY, EVER, EVERYBODY, HOUR, QUARTER, HistogramBin, Metric, SourceAnswers
from portal.jobs.metrics.periods import QUARTERS, QUARTERS_OF_HOUR, Span
from portal.jobs.metrics.record import MEASURES, SUMS, Figures
from portal.jobs.metrics.summary import Sums

FINE_DAYS = 2  # a span that touches at most this many days is read by quarters of an hour

SumRows = Iterator[tuple[Any, ...]]
Conditions = Sequence[ColumnElement[bool]]


def by_source(span: Span, user_id: int = EVERYBODY, source: str | None = None) -> dict[str, Sums]:
    """Sum up the jobs that ended in the span, by source; those with several are at `SEVERAL`, and what each of these
    has said is beside its own jobs."""
    found: dict[str, Sums] = defaultdict(Sums)
    for name, *sums in _within(SourceAnswers, span, [SourceAnswers.user_id == user_id], source, "source"):
        found[name].at_source.update(dict(zip(ANSWERS, sums, strict=True)))
    for name, outcome, *sums in _within(Metric, span, [Metric.user_id == user_id], source, "source", "outcome"):
        found[name].by_outcome[outcome].update(_as_counter(sums))
    bins = _within(HistogramBin, span, [HistogramBin.user_id == user_id], source, "source", "kind", "bin")
    for name, kind, place, jobs in bins:
        found[name].spreads[kind][place] += jobs
    return {name: sums for name, sums in sorted(found.items()) if sums.jobs() or sums.at_source.total()}


def by_user(span: Span, source: str | None = None) -> dict[str, Sums]:
    """Sum up the same by person, under their email addresses; without histograms."""
    found: dict[int, Sums] = defaultdict(Sums)
    everyone = [Metric.user_id.in_(select(User.id))]
    for user_id, outcome, *sums in _within(Metric, span, everyone, source, "user_id", "outcome"):
        found[user_id].by_outcome[outcome].update(_as_counter(sums))
    emails = {row.id: row.email for row in db.session.execute(select(User.id, User.email))}
    return {emails[user_id]: sums for user_id, sums in found.items() if sums.jobs()}


def by_time(span: Span, user_id: int = EVERYBODY, source: str | None = None) -> list[Sums]:
    """Sum up the same for each piece of the span; without histograms."""
    quarters = span.quarters
    pieces = [Sums() for _ in span.starts]
    if source is not None:
        _add_answers(pieces, quarters, user_id, source)
    if span.step == "hour":
        for piece, outcome, sums in _hours(quarters, _with_source(Metric, [Metric.user_id == user_id], source)):
            pieces[piece].by_outcome[outcome].update(sums)
        return pieces
    for quarter, outcome, sums in _moments(quarters, _with_source(Metric, [Metric.user_id == user_id], source)):
        if quarters[0] <= quarter < quarters[-1]:
            pieces[bisect_right(quarters, quarter) - 1].by_outcome[outcome].update(sums)
    return pieces


def all_time(user_id: int) -> Sums:
    """Sum up all jobs that this person ever had; without histograms."""
    found = Sums()
    for outcome, *sums in _grouped(Metric, [Metric.user_id == user_id, Metric.grain == EVER], "outcome"):
        found.by_outcome[outcome].update(_as_counter(sums))
    return found


def known_sources() -> list[str]:
    """Return every source at which a job has ended."""
    found: set[str] = set()
    for model in (Metric, SourceAnswers):
        everybody = (model.user_id == EVERYBODY, model.grain == EVER)
        found |= set(db.session.scalars(select(model.source).where(*everybody).distinct()))
    return sorted(found)


def _add_answers(pieces: Sequence[Sums], quarters: Sequence[int], user_id: int, source: str) -> None:
    """Add what one of several sources has said, at the pieces of a span. Such files are few, so that all is read."""
    model = SourceAnswers
    days = model.day.between(quarters[0] // QUARTERS, quarters[-1] // QUARTERS)
    where = (model.user_id == user_id, model.grain == QUARTER, model.source == source, days)
    said = select(model.day, model.part, *(getattr(model, name) for name in ANSWERS))
    for day, part, *counts in db.session.execute(said.where(*where)):
        quarter = day * QUARTERS + part
        if quarters[0] <= quarter < quarters[-1]:
            piece = pieces[bisect_right(quarters, quarter) - 1]
            piece.at_source.update(dict(zip(ANSWERS, counts, strict=True)))


def _with_source(model: type[Figures], where: Conditions, source: str | None) -> Conditions:
    return [*where, model.source == source] if source is not None else where


def _within(model: type[Figures], span: Span, where: Conditions, source: str | None, *columns: str) -> SumRows:
    """Yield grouped sums of a few pieces that together cover the span."""
    (first, begin), (last, end) = (divmod(quarter, QUARTERS) for quarter in (span.quarters[0], span.quarters[-1]))
    if first == last:
        pieces = _edge(model, first, begin, end)
    else:
        whole = first + (begin > 0)
        pieces = _edge(model, first, begin, QUARTERS) if begin else []
        if whole < last:
            pieces.append([model.grain == DAY, model.day >= whole, model.day < last])
        pieces += _edge(model, last, 0, end)
    for piece in pieces:
        yield from _grouped(model, [*_with_source(model, where, source), *piece], *columns)


def _edge(model: type[Figures], day: int, begin: int, end: int) -> list[Conditions]:
    """Return conditions that cover a day from one quarter to another: whole hours, and quarters where the zone is half
    an hour off."""
    first, last = -(-begin // QUARTERS_OF_HOUR), end // QUARTERS_OF_HOUR
    spans = [(HOUR, first, last), (QUARTER, begin, first * QUARTERS_OF_HOUR), (QUARTER, last * QUARTERS_OF_HOUR, end)]
    if first > last:
        spans = [(QUARTER, begin, end)]
    return [
        [model.grain == grain, model.day == day, model.part >= start, model.part < stop]
        for grain, start, stop in spans
        if start < stop
    ]


def _grouped(model: type[Figures], where: Conditions, *columns: str) -> SumRows:
    for row in db.session.execute(_sum_query(model, where, [getattr(model, place) for place in columns])):
        yield tuple(row)


def _sum_query(model: type[Figures], where: Conditions, columns: Sequence[Any]) -> Select[Any]:
    names = ("jobs", *MEASURES) if model is Metric else SUMS[model]
    # PostgreSQL sums integers to a decimal, which takes ten times as long to read.
    sums = [cast(func.sum(getattr(model, name)), BigInteger) for name in names]
    return select(*columns, *sums).where(*where).group_by(*columns)


def _as_counter(sums: list[Any]) -> Counter[str]:
    return Counter(dict(zip(("jobs", *MEASURES), sums, strict=True)))


def _hours(quarters: list[int], where: Conditions) -> Iterator[tuple[int, Status, Counter[str]]]:
    """Yield the sums of each hour by its position. All hours have one length, so the database can group them."""
    grain, size = (QUARTER, 1) if quarters[0] % QUARTERS_OF_HOUR else (HOUR, QUARTERS_OF_HOUR)
    # Literals, because with bound values PostgreSQL would not see that the selected expression is the grouped one.
    day_length, begin, end, length = (
        literal_column(str(n // size), Integer) for n in (QUARTERS, quarters[0], quarters[-1], QUARTERS_OF_HOUR)
    )
    moment = Metric.day * day_length + Metric.part
    days = Metric.day.between(quarters[0] // QUARTERS, quarters[-1] // QUARTERS)
    inside = [*where, Metric.grain == grain, days, moment >= begin, moment < end]
    piece = (moment - begin) // length
    for place, outcome, *sums in db.session.execute(_sum_query(Metric, inside, [piece, Metric.outcome])):
        yield place, outcome, _as_counter(sums)


def _moments(quarters: list[int], where: Conditions) -> Iterator[tuple[int, Status, Counter[str]]]:
    """Yield sums with a quarter of an hour that shows to which piece they belong; some are outside of every piece."""
    days = range(quarters[0] // QUARTERS, (quarters[-1] - 1) // QUARTERS + 1)
    cuts: dict[int, set[int]] = defaultdict(set)
    for quarter in quarters:
        if quarter % QUARTERS:
            cuts[quarter // QUARTERS].add(quarter % QUARTERS)
    fine = list(days) if len(days) <= FINE_DAYS else [day for day, parts in cuts.items() if len(parts) > 1]
    if fine:
        exactly = [*where, Metric.grain == QUARTER, Metric.day.in_(fine)]
        for day, part, outcome, *sums in _grouped(Metric, exactly, "day", "part", "outcome"):
            yield day * QUARTERS + part, outcome, _as_counter(sums)
    cut = {day: min(parts) for day, parts in cuts.items() if day not in fine}
    if len(fine) == len(days):
        return
    sides = _shorter_sides(cut, where)
    all_days = [*where, Metric.grain == DAY, Metric.day.between(days[0], days[-1])]
    for day, outcome, *sums in _grouped(Metric, all_days, "day", "outcome"):
        if day in fine:
            continue
        begins, part, whole = day * QUARTERS, cut.get(day), _as_counter(sums)
        if part is None:
            yield begins, outcome, whole
            continue
        side = sides.get((day, outcome), Counter())
        rest = Counter({name: value - side[name] for name, value in whole.items()})
        before, after = (side, rest) if _is_early(part) else (rest, side)
        yield begins + part - 1, outcome, before
        yield begins + part, outcome, after


def _is_early(part: int) -> bool:
    return part <= QUARTERS // 2


def _shorter_sides(cut: dict[int, int], where: Conditions) -> dict[tuple[int, Status], Counter[str]]:
    """Return the sums of the shorter side of each day that is cut at a part."""
    found: dict[tuple[int, Status], Counter[str]] = {}
    for part in set(cut.values()):
        grain, place = (QUARTER, part) if part % QUARTERS_OF_HOUR else (HOUR, part // QUARTERS_OF_HOUR)
        side = Metric.part < place if _is_early(part) else Metric.part >= place
        days = [day for day, where in cut.items() if where == part]
        of_side = [*where, Metric.grain == grain, Metric.day.in_(days), side]
        for day, outcome, *sums in _grouped(Metric, of_side, "day", "outcome"):
            found[day, outcome] = _as_counter(sums)
    return found
