"""Tables of what was spent, for the pages of figures and as CSV files."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date

from babel.dates import format_skeleton
from flask_babel import get_locale, gettext

from portal.jobs.spending.figures import Spent
from portal.sources.words import source_title
from portal.web.tables import Column, Table, Value


def all_rows(found: Iterable[Spent], *, people: bool) -> Table:
    """Every row, for a spreadsheet; with the person's address if there are several people."""
    who = [Column("person", gettext("Person"), "word")] if people else []
    columns = [
        Column("month", gettext("Month"), "word"), *who, Column("source", gettext("Source"), "word"), *_amounts()
    ]  # fmt: skip
    rows: list[list[Value]] = []
    for one in found:
        person = [person_words(one)] if people else []
        rows.append([one.month, *person, source_title(one.source), one.currency, one.total, one.unsure])
    return Table("spending", gettext("Spending"), columns, rows)


def grouped(
    found: Iterable[Spent],
    name: str,
    title: str,
    key: Callable[[Spent], str],
    shown: Callable[[str], str] = str,
) -> Table:
    """What was spent by one thing: the month, the person or the source; the largest first, months by time. `shown`
    gives its words."""
    totals: Counter[tuple[str, str]] = Counter()
    unsure: Counter[tuple[str, str]] = Counter()
    for one in found:
        totals[key(one), one.currency] += one.total
        unsure[key(one), one.currency] += one.unsure
    by_time = name == "month"
    order = sorted(totals, reverse=True) if by_time else sorted(totals, key=lambda one: -totals[one])
    rows: list[list[Value]] = [[shown(one[0]), one[1], totals[one], unsure[one]] for one in order]
    return Table(f"spending-{name}", title, [Column(name, title, "word"), *_amounts()], rows)


def person_words(one: Spent) -> str:
    """Who has spent it: the address, or what stands for one that is not there."""
    return one.email or (gettext("Command on the server") if one.is_command else gettext("Deleted account"))


def month_words(month: str) -> str:
    """A month in words, such as November 2026; the text itself when it is none."""
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        return month
    return str(format_skeleton("yMMMM", first, locale=get_locale()))


def _amounts() -> list[Column]:
    return [
        Column("currency", gettext("Currency"), "word"), Column("spent", gettext("Spent"), "amount"),
        Column("unsure", gettext("Of which perhaps"), "amount"),
    ]  # fmt: skip
