"""The page of excluded numbers: lists of numbers that are never sent to a source."""

import re
from datetime import date

from flask import Response, current_app, flash, make_response, redirect, render_template, request, url_for
from flask_babel import format_decimal, gettext, ngettext
from flask_login import current_user

from portal import sources
from portal.clock import utcnow
from portal.documents.number_list import ROWS_NAMED, NumberList, read_list
from portal.documents.reader.limits import Unreadable
from portal.documents.reader.parent import ReadingFailed
from portal.documents.words import problem_words, reason_words
from portal.phone import parse
from portal.sources import exclusions
from portal.sources.registry import is_yes_no
from portal.web.access import admin_required
from portal.web.admin.blueprint import blueprint

_BETWEEN = re.compile(r"[;,\t|\r\n]+")
MOST_BYTES = 32 * 1000**2


@blueprint.get("/admin/exclusions", endpoint="exclusions")
@admin_required
def index() -> str:
    """Show the lists, and the form for one more."""
    return _page()


@blueprint.post("/admin/exclusions", endpoint="add_exclusions")
@admin_required
def add() -> Response:
    """Add a list of pasted numbers, of a file, or of what a source has answered."""
    name = " ".join(request.form.get("name", "").split())[: exclusions.LONGEST_NAME]
    source, _, field = request.form.get("answers", "").partition(".")
    try:
        dated = date.fromisoformat(request.form.get("dated", ""))
    except ValueError:
        return _refused(gettext("Enter the day of the list."))
    if not name:
        return _refused(gettext("Enter the name of the list."))
    if source and (source, field) not in _lists_of_sources():
        return _refused(gettext("Choose a source from the list."))
    try:
        numbers, said = (set(), []) if source else _given()
    except Unreadable as error:
        return _refused(problem_words(error.problem, error.facts))
    except (ReadingFailed, OSError):
        return _refused(gettext("The file could not be read just now. Try again in a minute."))
    if not source and not numbers:
        return _refused(" ".join([gettext("No telephone number was found there."), *said]))
    if len(numbers) > exclusions.MOST_NUMBERS:
        most = format_decimal(exclusions.MOST_NUMBERS)
        return _refused(gettext("A list has at most %(n)s numbers. Split it into several lists.", n=most))
    try:
        exclusions.add(name, dated, numbers, current_user.email, utcnow(), source=source, field=field)
    except exclusions.NameTaken:
        return _refused(gettext("There is a list of that name already. Remove it first, or choose another name."))
    added = gettext("From now on, these numbers are not looked up.")
    if numbers:
        added = ngettext(
            "%(n)s number was added. From now on it is not looked up.",
            "%(n)s numbers were added. From now on they are not looked up.",
            len(numbers), n=format_decimal(len(numbers)),
        )  # fmt: skip
    flash(" ".join([added, *said]), "ok")
    return _back()


@blueprint.post("/admin/exclusions/<id:list_id>/remove", endpoint="remove_exclusions")
@admin_required
def remove(list_id: int) -> Response:
    """Remove a list: its numbers are looked up again."""
    if exclusions.remove(list_id, current_user.email, utcnow()):
        flash(gettext("The list was removed. Its numbers are looked up again from now on."), "ok")
    else:
        flash(gettext("The list was already removed."), "info")
    return _back()


def _given() -> tuple[set[str], list[str]]:
    """The numbers that were pasted and those of the file, and sentences about what was read and what was left out.
    Raises Unreadable, ReadingFailed and OSError."""
    numbers: set[str] = set()
    said, country = list[str](), current_app.config["DEFAULT_COUNTRY"]
    if text := request.form.get("numbers", "").strip():
        numbers, left = _pasted(text, country)
        if left:
            said.append(_lines_words(left))
    file = request.files.get("file")
    if file is not None and file.filename:
        most = exclusions.MOST_NUMBERS
        found = read_list(file.stream, file.filename, MOST_BYTES, most, country)
        numbers |= found.numbers
        said += _file_words(found)
    return numbers, said


def _pasted(text: str, country: str) -> tuple[set[str], list[int]]:
    """The numbers of a text in E.164, and which of its lines have none. Digits decide in each line which part has it:
    there may be names beside the numbers."""
    found: set[str] = set()
    left = []
    for line_no, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip(" \"'") for cell in _BETWEEN.split(line) if cell.strip()]
        phones = [parse(cell, country) for cell in cells]
        numbers = {one for phone in phones for one in (phone.numbers or ((phone.e164,) if phone.e164 else ())) if one}
        found |= numbers
        if cells and not numbers:
            left.append(line_no)
    return found, left


def _lines_words(left: list[int]) -> str:
    return ngettext(
        "%(n)s line was left out, as it has no clear telephone number: line %(lines)s.",
        "%(n)s lines were left out, as they have no clear telephone number: lines %(lines)s.",
        len(left), n=format_decimal(len(left)), lines=_places(left[:ROWS_NAMED], len(left)),
    )  # fmt: skip


def _file_words(found: NumberList) -> list[str]:
    columns = ", ".join(f"“{one}”" for one in found.columns)
    said = [ngettext("The column %(columns)s was read.", "The columns %(columns)s were read.", len(found.columns),
                     columns=columns)]  # fmt: skip
    if found.sheet:
        said = [ngettext(
            "The column %(columns)s of the sheet “%(sheet)s” was read.",
            "The columns %(columns)s of the sheet “%(sheet)s” were read.",
            len(found.columns), columns=columns, sheet=found.sheet,
        )]  # fmt: skip
    if found.left:
        said.append(
            ngettext("%(n)s row was left out.", "%(n)s rows were left out.", found.left, n=format_decimal(found.left))
        )
    for reason, rows in found.left_out.items():
        said.append(
            ngettext("Row %(rows)s: %(why)s", "Rows %(rows)s: %(why)s", len(rows),
                     rows=_places(rows, len(rows) + (len(rows) == ROWS_NAMED)), why=reason_words(reason))
        )  # fmt: skip
    return said


def _places(named: list[int], count: int) -> str:
    """Some rows or lines; with dots when there may be more."""
    return ", ".join(map(format_decimal, named)) + ("…" if count > len(named) else "")


def _lists_of_sources() -> dict[tuple[str, str], str]:
    """The fields with yes and no of sources whose answers are kept, each with its name."""
    named = {}
    for name in sources.names():
        facts = sources.facts_of(name)
        if facts.cache_days:
            for field in facts.fields:
                if is_yes_no(field) or field in facts.yes_no:
                    named[name, field] = f"{name} · {field}"
    return named


def _page(problem: str = "") -> str:
    return render_template(
        "admin/exclusions.html", lists=exclusions.lists(), problem=problem, today=utcnow().date().isoformat(),
        choices=_lists_of_sources(), given=request.form, longest=exclusions.LONGEST_NAME,
    )  # fmt: skip


def _refused(problem: str) -> Response:
    return make_response(_page(problem), 422)


def _back() -> Response:
    return make_response(redirect(url_for("admin.exclusions"), 303))
