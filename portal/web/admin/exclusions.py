"""The page of excluded numbers: lists of numbers that are never sent to a source."""

import re
from datetime import date

from flask import Response, current_app, flash, make_response, redirect, render_template, request, url_for
from flask_babel import format_decimal, gettext, ngettext
from flask_login import current_user

from portal import sources
from portal.clock import utcnow
from portal.phone import parse
from portal.sources import exclusions
from portal.sources.registry import is_yes_no
from portal.web.access import admin_required
from portal.web.admin.blueprint import blueprint

_BETWEEN = re.compile(r"[;,\t|\r\n]+")
MOST_BYTES = 16 * 1024 * 1024


@blueprint.get("/admin/exclusions", endpoint="exclusions")
@admin_required
def index() -> str:
    """Show the lists, and the form for one more."""
    return _page()


@blueprint.post("/admin/exclusions", endpoint="add_exclusions")
@admin_required
def add() -> Response:
    """Add a list of pasted numbers, of a text file, or of what a source has answered."""
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
    numbers, others = (set(), 0) if source else _numbers(_text())
    if not source and not numbers:
        return _refused(gettext("No telephone number was found there. Paste the numbers, one on each line."))
    if len(numbers) > exclusions.MOST_NUMBERS:
        most = format_decimal(exclusions.MOST_NUMBERS)
        return _refused(gettext("A list has at most %(n)s numbers. Split it into several lists.", n=most))
    try:
        exclusions.add(name, dated, numbers, current_user.email, utcnow(), source=source, field=field)
    except exclusions.NameTaken:
        return _refused(gettext("There is a list of that name already. Remove it first, or choose another name."))
    said = gettext("From now on, these numbers are not looked up.")
    if numbers:
        said = ngettext(
            "%(n)s number was added. From now on it is not looked up.",
            "%(n)s numbers were added. From now on they are not looked up.",
            len(numbers), n=format_decimal(len(numbers)),
        )  # fmt: skip
    if others:
        left = ngettext(
            "%(n)s line was left out: it has no clear telephone number.",
            "%(n)s lines were left out: they have no clear telephone number.",
            others, n=format_decimal(others),
        )  # fmt: skip
        said = f"{said} {left}"
    flash(said, "ok")
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


def _text() -> str:
    """What was pasted, and the text of the file."""
    file = request.files.get("file")
    content = file.read(MOST_BYTES) if file else b""
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    return f"{request.form.get('numbers', '')}\n{content.decode(encoding, 'replace')}"


def _numbers(text: str) -> tuple[set[str], int]:
    """The numbers of a text in E.164, and how many of its lines have none. Digits decide in each line which cell has
    it: a list may have names beside its numbers."""
    country, found, others = current_app.config["DEFAULT_COUNTRY"], set(), 0
    for line in text.splitlines():
        cells = [cell.strip(" \"'") for cell in _BETWEEN.split(line) if cell.strip()]
        phones = [parse(cell, country) for cell in cells]
        numbers = {one for phone in phones for one in (phone.numbers or ((phone.e164,) if phone.e164 else ())) if one}
        found |= numbers
        others += bool(cells) and not numbers
    return found, others


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
