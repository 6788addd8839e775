"""What the statistics pages show, gathered for their templates: the period, sums, charts and tables.

Read-only: it uses `jobs.metrics` and words.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Self

from flask import Response, abort, make_response, request
from flask_babel import format_decimal, format_percent, gettext, ngettext

from portal.jobs import status_counts
from portal.jobs.core.status import Status
from portal.jobs.metrics import periods, queries
from portal.jobs.metrics.models import EVERYBODY
from portal.jobs.metrics.periods import Span
from portal.jobs.metrics.summary import Sums, total
from portal.jobs.words.statuses import outcome_count_words, status_words
from portal.sources.several import SEVERAL
from portal.web.locale import reader_zone
from portal.web.metrics import tables as metrics_tables
from portal.web.metrics.charts import Chart, Series, stacked
from portal.web.tables import Table, short_span

RANGES: dict[str, Callable[[datetime], Span]] = {
    "24h": lambda now: periods.last_hours(now, reader_zone()),
    "7d": lambda now: periods.last_days(now, reader_zone(), 7),
    "30d": lambda now: periods.last_days(now, reader_zone(), 30),
}
TONES = {Status.COMPLETED: "good", Status.FAILED: "bad", Status.TIMEOUT: "late", Status.CANCELLED: "idle"}
LIVE_TONES = {
    Status.PENDING: "idle", Status.PROCESSING: "run", Status.COMPLETED: "ok", Status.FAILED: "bad",
    Status.TIMEOUT: "warn", Status.RETRYING: "run",
}  # fmt: skip
SHOWN_PEOPLE = 100


@dataclass(frozen=True)
class MetricsQuery:
    """The filters in the query string."""

    range: str
    first: str  # days, as 2026-05-31; either one makes it a custom period
    last: str
    source: str
    sort: str

    @classmethod
    def read(cls) -> Self:
        """Read the query string; values too long are cut, unknown ones ignored."""
        given = {name: request.args.get(name, "").strip()[:60] for name in ("range", "from", "to", "source", "sort")}
        span = given["range"] if given["range"] in RANGES else "7d"
        return cls(span, given["from"], given["to"], given["source"], given["sort"] or "-files")

    def arguments(self, **other: str | None) -> dict[str, str]:
        """The same as arguments for `url_for`, some of them replaced."""
        own = {"from": self.first, "to": self.last, "source": self.source, "range": self.range, "sort": self.sort}
        if self.first or self.last:
            del own["range"]
        return {name: value for name, value in {**own, **other}.items() if value}

    def span(self, now: datetime) -> tuple[Span, str]:
        """The period; if the requested one is invalid, the last seven days and a sentence about it."""
        if not (self.first or self.last):
            return RANGES[self.range](now), ""
        today = now.astimezone(reader_zone()).date()
        try:
            last = date.fromisoformat(self.last) if self.last else today
            first = date.fromisoformat(self.first) if self.first else last
            return periods.between(first, last, reader_zone()), ""
        except (ValueError, OverflowError):
            return RANGES["7d"](now), gettext(
                "Choose a start date and a later end date, at most %(days)s days apart. Showing the last 7 days.",
                days=periods.LONGEST_DAYS,
            )


def all_users_page(query: MetricsQuery, now: datetime) -> dict[str, Any]:
    """The variables of the admins' page."""
    page = _page(query, now, EVERYBODY)
    people = metrics_tables.people_table(queries.by_user(page["span"], query.source or None)).sorted_by(query.sort)
    return {
        **page,
        "people": people,
        "shown_people": SHOWN_PEOPLE,
        "sources": queries.known_sources(),
        **current_counts(),
    }


def own_page(query: MetricsQuery, now: datetime, user_id: int) -> dict[str, Any]:
    """The variables of a person's own page."""
    return {**_page(query, now, user_id), "ever": queries.all_time(user_id)}


def current_counts() -> dict[str, Any]:
    """The current number of jobs in each status, and a version that changes with them."""
    counts = status_counts.count_by_status()
    tiles = [(status, counts[status], LIVE_TONES.get(status, "idle")) for status in Status]
    return {
        "tiles": tiles,
        "all_jobs": sum(counts.values()),
        "live_version": "-".join(str(count) for count in counts.values()),
    }


def table(name: str, query: MetricsQuery, now: datetime, user_id: int) -> Table | None:
    """One table of the page by its name; the table of users exists only for all users."""
    if name == "people":
        if user_id != EVERYBODY:
            return None
        people = queries.by_user(query.span(now)[0], query.source or None)
        return metrics_tables.people_table(people).sorted_by(query.sort)
    return next((found for found in _page(query, now, user_id)["tables"].values() if found.name == name), None)


def _page(query: MetricsQuery, now: datetime, user_id: int) -> dict[str, Any]:
    span, problem = query.span(now)
    source = query.source or None
    parts = queries.by_source(span, user_id, source)
    pieces = queries.by_time(span, user_id, source)
    whole = total(parts)
    earlier = periods.preceding(span)
    whole_before = total(queries.by_source(earlier, user_id, source))
    pieces_before = queries.by_time(earlier, user_id, source)
    made = [
        metrics_tables.files_table(span, pieces), metrics_tables.numbers_table(span, pieces),
        metrics_tables.times_table(parts, whole), metrics_tables.retries_table(whole),
    ]  # fmt: skip
    return {
        "query": query,
        "span": span,
        "problem": problem,
        "whole": whole,
        "has_several": SEVERAL in parts,
        "facts": _facts(whole, whole_before),
        "tables": {one.name: one for one in made},
        "charts": [
            _files_chart(span, pieces, whole, pieces_before),
            _numbers_chart(span, pieces, whole, pieces_before),
        ],
        "behind": status_counts.has_uncounted(),
    }


def _facts(whole: Sums, before: Sums) -> list[tuple[str, str, str]]:
    """The key figures: value, label, and the value in the period before; that is empty when no file ended in it."""
    now, labels = _figures(whole), _labels(whole)
    then = _figures(before) if before.jobs() else [""] * len(labels)
    return list(zip(now, labels, then, strict=True))


def _labels(whole: Sums) -> list[str]:
    return [
        ngettext("file finished", "files finished", whole.jobs()),
        gettext("success rate"),
        ngettext("number with an answer", "numbers with an answer", whole.answered),
        gettext("numbers per minute"),
        gettext("average time per file"),
        gettext("median time per file"),
        gettext("95th percentile per file"),
        ngettext("file needed a retry", "files needed a retry", whole.retried),
    ]


def _figures(whole: Sums) -> list[str]:
    def span_of(seconds: float | None) -> str:
        return "–" if seconds is None else short_span(seconds)

    success, rate = whole.success, whole.per_minute
    return [
        format_decimal(whole.jobs()),
        "–" if success is None else format_percent(success),
        format_decimal(whole.answered),
        "–" if rate is None else format_decimal(round(rate)),
        span_of(whole.mean_seconds),
        span_of(whole.percentile_seconds(0.5)),
        span_of(whole.percentile_seconds(0.95)),
        format_decimal(whole.retried),
    ]


def _files_chart(span: Span, pieces: list[Sums], whole: Sums, before: list[Sums]) -> Chart:
    count = whole.jobs()
    sentence = ngettext("%(n)s file finished", "%(n)s files finished", count, n=format_decimal(count))
    parts = [
        f"{status_words(end)}: {format_decimal(whole.jobs(end))}"
        for end in metrics_tables.ENDS
        if whole.jobs(end)
    ]  # fmt: skip
    series = [Series(status_words(end), TONES[end], [one.jobs(end) for one in pieces]) for end in metrics_tables.ENDS]
    words = f"{sentence}: {', '.join(parts)}." if parts else gettext("No files finished in this period.")
    return _chart("files", gettext("Finished files"), words, series, span, [one.jobs() for one in before])


def _numbers_chart(span: Span, pieces: list[Sums], whole: Sums, before: list[Sums]) -> Chart:
    def values(*names: str) -> list[int]:
        return [sum(one.of(name) for name in names) for one in pieces]

    series = [
        Series(outcome_count_words("found"), "good", values("found")),
        Series(outcome_count_words("not_found"), "idle", values("not_found")),
        Series(gettext("Invalid, blank or rejected"), "late", values("invalid", "rejected")),
        Series(gettext("Without an answer"), "bad", values("failed", "waiting")),
    ]
    count = whole.numbers
    words = ngettext(
        "These files had %(n)s number; %(answered)s got an answer.",
        "These files had %(n)s numbers; %(answered)s got an answer.",
        count,
        n=format_decimal(count),
        answered=format_decimal(whole.answered),
    )
    return _chart("numbers", gettext("Numbers in these files"), words, series, span, [one.numbers for one in before])


def _chart(name: str, title: str, sentence: str, series: list[Series], span: Span, before: list[int]) -> Chart:
    named = [metrics_tables.moment_words(start, span.step) for start in span.starts]
    ticks = [metrics_tables.tick_words(start, span.step) for start in span.starts]
    return stacked(name, title, sentence, series, named, ticks, before)


def table_file(table: Table | None) -> Response:
    """A table as a CSV download; 404 for None."""
    if table is None:
        abort(404)
    answer = make_response(table.as_csv())
    answer.mimetype = "text/csv"
    name = gettext("statistics")
    answer.headers["Content-Disposition"] = f"attachment; filename={name}-{table.name}.csv"
    return answer
