"""Which columns are added to a person's file, in which order and under which names. Knows no file formats and no
database.

A choice names columns by ids, which are the same in every language: the portal's own, such as `status`, and the fields
of the source's answers. What a choice does not name comes as by default, so that a field which a source gets later on
is not lost.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from flask_babel import LazyString, gettext
from flask_babel import lazy_gettext as _

from portal.documents.reader.sheet_file import column_letter
from portal.jobs.export.csv_cells import harmless_throughout
from portal.sources.several import MARK, base_of
from portal.sources.words import LONGEST_HEADING, headings_of

LONGEST_OWN_NAME = 30  # of a heading before the name of an added column
LONGEST_NAME = LONGEST_HEADING
MOST_LISTED = 200  # columns in an address
ALL, DEFAULT_WORD = "all", "default"  # in an address

ROW, CHANGE, STATUS, REASON, TODO = "row", "change", "status", "reason", "what_to_do"
E164, CHECKED_AT, DUPLICATE_OF = "e164", "checked_at", "duplicate_of"
CORRECTED = "corrected"  # only in files with corrections
OF_ROW = (ROW, CHANGE)  # said of a row, and once, however many columns of numbers it has; CHANGE only in merged lists
TITLES: dict[str, LazyString] = {
    ROW: _("Row in your file"),
    CHANGE: _("Compared with the earlier list"),
    CORRECTED: _("Corrected number"),
    STATUS: _("Status"),
    REASON: _("Reason"),
    TODO: _("What to do"),
    E164: _("International number"),
    CHECKED_AT: _("Checked at"),
    DUPLICATE_OF: _("Duplicate of row"),
}
DIAGNOSTIC_FIELDS = ("national", "time_zone")


class Column(NamedTuple):
    """A column that can be added."""

    id: str
    field: str = ""  # of the answers; empty: the portal's own
    is_useful: bool = True  # comes by default; the others are diagnostics


class Pick(NamedTuple):
    """What a person has chosen for one column. Without a name it has the portal's, in the reader's language."""

    id: str
    is_shown: bool
    name: str = ""


@dataclass(frozen=True)
class ColumnChoice:
    """A person's choice: the columns in their order, and what else is added. Without picks: the portal's default."""

    picks: tuple[Pick, ...] = ()
    with_summary: bool = False  # a sheet of totals
    keeps_empty: bool = False  # columns in which nothing in the file has a value

    def picks_of(self, columns: Sequence[Column]) -> tuple[Pick, ...]:
        """One for each of these columns, in order; those that the choice does not name come last."""
        known = {column.id: column for column in columns}
        named = {pick.id: pick for pick in self.picks if pick.id in known}
        return (*named.values(), *(Pick(one.id, one.is_useful) for one in columns if one.id not in named))


DEFAULT = ColumnChoice()


class ColumnsRefused(ValueError):
    """These columns cannot be added. `problems` has a sentence for each column's id; "" is for all of them."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def columns_of(fields: Sequence[str]) -> tuple[Column, ...]:
    """All columns that can be added for a source with these fields, in the portal's order: the useful ones, then the
    diagnostics. A field with the name of one of our columns gets `answer.` before its id."""
    found = [
        Column(f"answer.{field}" if field in TITLES else field.removesuffix(MARK), field,
               base_of(field) not in DIAGNOSTIC_FIELDS)
        for field in fields
        if base_of(field) != E164  # the portal knows it for every source
    ]  # fmt: skip
    useful = [column for column in found if column.is_useful]
    others = [column for column in found if not column.is_useful]
    diagnostics = [Column(name, is_useful=False) for name in (CHECKED_AT, DUPLICATE_OF)]
    return (
        Column(ROW), Column(CHANGE), Column(STATUS), *useful, Column(REASON), Column(TODO), Column(CORRECTED),
        Column(E164, is_useful=False), *others, *diagnostics,
    )  # fmt: skip


def answer_headings(fields: Sequence[str], source: str) -> dict[str, str]:
    """What the source's fields are called on pages and in files, beside our own columns: one that is called like a
    column of ours has the source's title in brackets, as in `Estado (Mi fuente)`."""
    return headings_of(fields, source, (*map(str, TITLES.values()), gettext("Number")))


def titles_of(columns: Sequence[Column], source: str) -> dict[str, str]:
    """The columns' own names in the reader's language, by id; each once, whatever labels a recipe has."""
    return _titles(columns, answer_headings([one.field for one in columns if one.field], source))


def _known_titles(columns: Sequence[Column], source: str) -> dict[str, str]:
    """The same as the addresses of programs know them, since before a source was named in brackets: `Estado 2`."""
    return _titles(columns, headings_of([one.field for one in columns if one.field], source))


def _titles(columns: Sequence[Column], headings: Mapping[str, str]) -> dict[str, str]:
    titles = [headings[one.field] if one.field else str(TITLES[one.id]) for one in columns]
    short = [" ".join(title.split())[:LONGEST_NAME].strip() for title in titles]
    return dict(zip((one.id for one in columns), each_once(title or "–" for title in short), strict=True))


def same_name(name: str) -> str:
    """What two names have in common that a person, or a table of Excel, takes for one."""
    return " ".join(unicodedata.normalize("NFC", name).split()).casefold()


def each_once(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """The names, numbered where there is one like it: in a table of Excel two columns cannot have one name."""
    known = {same_name(text) for text in taken}
    unique = []
    for name in names:
        numbered, n = name, 2
        while same_name(numbered) in known:
            numbered, n = f"{name[: LONGEST_NAME - len(str(n)) - 1].strip()} {n}", n + 1
        known.add(same_name(numbered))
        unique.append(numbered)
    return unique


def own_names(columns: Sequence[int], headings: Sequence[str]) -> dict[int, str]:
    """What the person calls their columns (positions from 0): by heading, with the letter where two have the same one,
    and by the letter alone without a heading."""
    heads = {column: " ".join(headings[column].split()) if column < len(headings) else "" for column in columns}
    many = Counter(map(same_name, heads.values()))
    return {column: _own_name(head, column_letter(column), is_once=many[same_name(head)] == 1)
            for column, head in heads.items()}  # fmt: skip


def _own_name(heading: str, letter: str, *, is_once: bool) -> str:
    if not heading:
        return gettext("Column %(letter)s", letter=letter)
    if len(heading) > LONGEST_OWN_NAME:
        heading = f"{heading[: LONGEST_OWN_NAME - 1].strip()}\u2026"
    return heading if is_once else f"{heading} ({letter})"


def name_beside(own: str, name: str) -> str:
    """The name of an added column with that of the person's column that it is about: `Fijo: estado`."""
    return f"{own}: {name[:1].lower()}{name[1:]}" if name[1:2].islower() else f"{own}: {name}"


def checked(picks: Sequence[Pick], columns: Sequence[Column], source: str) -> tuple[Pick, ...]:
    """The picks as they are kept: names are trimmed, and one that is the column's own is left out, so that it follows
    the reader's language. Raises ColumnsRefused."""
    titles = titles_of(columns, source)
    problems = {}
    if sorted(pick.id for pick in picks) != sorted(titles):
        problems[""] = gettext("The list of columns was not complete, or named a column twice. Check it and try again.")
    elif not any(pick.is_shown for pick in picks):
        problems[""] = gettext("Tick at least one column.")
    kept = []
    for pick in picks:
        name = unicodedata.normalize("NFC", pick.name).strip()
        if problem := _problem_of(name, is_shown=pick.is_shown):
            problems[pick.id] = problem
        kept.append(pick._replace(name="" if name == titles.get(pick.id) else name))
    names = Counter(same_name(one.name or titles.get(one.id, "")) for one in kept if one.is_shown)
    for one in kept:
        if one.is_shown and names[same_name(one.name or titles.get(one.id, ""))] > 1:
            problems.setdefault(one.id, gettext("Another column has this name. Give each a name of its own."))
    if problems:
        raise ColumnsRefused(problems)
    return tuple(kept)


def _problem_of(name: str, *, is_shown: bool) -> str:
    if all(unicodedata.category(letter)[0] in "CZ" for letter in name):
        return gettext("Write a name for this column, or untick it.") if is_shown else ""
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in _DIRECTIONS for letter in name):
        return gettext("This name has characters that cannot be seen. Delete it and type it again.")
    if len(name) > LONGEST_NAME:
        return gettext("This name has %(n)s characters. It can have up to %(most)s.", n=len(name), most=LONGEST_NAME)
    if harmless_throughout(name) != name:
        return gettext("A spreadsheet would take this name for a formula. Begin it with a word.")
    return ""


# Characters that turn the text around them, so that a heading would read as another.
_DIRECTIONS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def choice_from(text: str, columns: Sequence[Column], source: str) -> ColumnChoice:
    """The choice that an address or a command makes: `all`, `default`, or ids in order, such as
    `status,line_type=Kind,reason`. Only these come, and also where they are empty. A program gets the names that it
    knows from before. Raises ColumnsRefused."""
    if text.strip() == DEFAULT_WORD:
        return DEFAULT
    known = _known_titles(columns, source)
    if text.strip() == ALL:
        return ColumnChoice(tuple(Pick(column.id, True, known[column.id]) for column in columns), keeps_empty=True)
    asked = [part.partition("=") for part in text.split(",", MOST_LISTED)]
    ids = [name.strip() for name, _sep, _new in asked]
    for name in ids:
        if name not in known:
            listed = ", ".join(known)
            said = gettext(
                "There is no column “%(name)s”. Available: %(known)s", name=name[:LONGEST_NAME], known=listed
            )
            raise ColumnsRefused({"": said})
        if ids.count(name) > 1:
            raise ColumnsRefused({"": gettext("The column “%(name)s” is listed twice.", name=name)})
    shown = [Pick(name.strip(), True, new if sep else known[name.strip()]) for name, sep, new in asked]
    others = [Pick(name, False) for name in known if name not in ids]
    return ColumnChoice(checked([*shown, *others], columns, source), keeps_empty=True)
