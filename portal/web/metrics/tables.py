"""The tables of the statistics. Each is built once and used on the page, behind a chart and as a CSV file.

Pure: it is given the sums.
"""

from datetime import datetime

from flask_babel import format_date, format_datetime, format_time, gettext

from portal.jobs.core.status import Status
from portal.jobs.metrics.models import HistogramKind
from portal.jobs.metrics.periods import Span
from portal.jobs.metrics.summary import NUMBERS, Sums
from portal.jobs.words.statuses import outcome_count_words, status_words
from portal.sources.words import source_title
from portal.web.tables import Column, Table, Value

ENDS = (Status.COMPLETED, Status.FAILED, Status.TIMEOUT, Status.CANCELLED)
MANY_RETRIES = 4  # this many or more are counted together


def moment_words(moment: datetime, step: str) -> str:
    """An interval of the period, named by its start."""
    if step == "hour":
        return str(format_datetime(moment, "d MMM, H:mm"))
    return str(format_date(moment, "LLLL y" if step == "month" else "EEE, d MMM y"))


def tick_words(moment: datetime, step: str) -> str:
    """The same in short form, for the axis of a chart."""
    if step == "hour":
        return str(format_time(moment, "H:mm"))
    return str(format_date(moment, "LLL y" if step == "month" else "d MMM"))


def _when(step: str) -> Column:
    titles = {"hour": gettext("Hour"), "day": gettext("Day"), "month": gettext("Month")}
    return Column("when", titles[step], "word")


def files_table(span: Span, pieces: list[Sums]) -> Table:
    """Files that ended, by time and outcome."""
    columns = [_when(span.step), *(Column(end.value, status_words(end)) for end in ENDS)]
    rows: list[list[Value]] = [
        [moment_words(start, span.step), *(piece.jobs(end) for end in ENDS), piece.jobs()]
        for start, piece in zip(span.starts, pieces, strict=True)
    ]
    return Table("files", gettext("Finished files"), [*columns, Column("total", gettext("Total"))], rows)


def _heading(name: str) -> str:
    """The heading of a count of numbers. These sums count blank cells as invalid."""
    return gettext("Invalid or blank") if name == "invalid" else outcome_count_words(name)


def numbers_table(span: Span, pieces: list[Sums]) -> Table:
    """Their numbers, by time and outcome."""
    columns = [_when(span.step), *(Column(name, _heading(name)) for name in NUMBERS)]
    rows: list[list[Value]] = [
        [moment_words(start, span.step), *(piece.of(name) for name in NUMBERS), piece.numbers]
        for start, piece in zip(span.starts, pieces, strict=True)
    ]
    return Table("numbers", gettext("Numbers in these files"), [*columns, Column("total", gettext("Total"))], rows)


def times_table(parts: dict[str, Sums], whole: Sums) -> Table:
    """How long completed files took, source by source, and all together."""
    columns = [
        Column("source", gettext("Source"), "word"), Column("files", gettext("Files")),
        Column("success", gettext("Completed"), "share"), Column("answered", gettext("Numbers with an answer")),
        Column("rate", gettext("Numbers per minute"), "rate"), Column("mean", gettext("Average time"), "seconds"),
        Column("median", gettext("Median"), "seconds"),
        Column("p95", gettext("95th percentile"), "seconds"),
        Column("whole", gettext("Start to finish, including waiting"), "seconds"),
    ]  # fmt: skip
    named = [(source_title(name), sums) for name, sums in parts.items()]
    if len(named) != 1:
        named.append((gettext("All sources"), whole))
    rows: list[list[Value]] = [
        [
            name, sums.jobs(), sums.success, sums.answered, sums.per_minute, sums.mean_seconds,
            sums.percentile_seconds(0.5), sums.percentile_seconds(0.95), sums.mean_whole_seconds,
        ]
        for name, sums in named
    ]  # fmt: skip
    return Table("times", gettext("Time and speed"), columns, rows)


def retries_table(whole: Sums) -> Table:
    """How many retries completed files needed."""
    spread = whole.spreads[HistogramKind.RETRIES]
    rows: list[list[Value]] = [[str(n), spread[n]] for n in range(MANY_RETRIES)]
    rows.append([gettext("%(n)s or more", n=MANY_RETRIES), sum(c for n, c in spread.items() if n >= MANY_RETRIES)])
    columns = [Column("retries", gettext("Retries"), "word"), Column("files", gettext("Completed files"))]
    return Table("retries", gettext("Retries needed by completed files"), columns, rows)


def people_table(people: dict[str, Sums]) -> Table:
    """Files and their outcomes by user."""
    columns = [
        Column("person", gettext("User"), "word"), Column("files", gettext("Files")),
        *(Column(end.value, status_words(end)) for end in ENDS), Column("success", gettext("Success rate"), "share"),
        Column("numbers", gettext("Numbers")), Column("mean", gettext("Average time"), "seconds"),
    ]  # fmt: skip
    rows: list[list[Value]] = [
        [email, sums.jobs(), *(sums.jobs(end) for end in ENDS), sums.success, sums.numbers, sums.mean_seconds]
        for email, sums in people.items()
    ]
    return Table("people", gettext("By user"), columns, rows)
