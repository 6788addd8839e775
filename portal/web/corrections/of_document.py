"""Correcting the cells that are no numbers, on the check page: all of one reason, or one cell by typing over it."""

from pathlib import Path

from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from portal.clock import utcnow
from portal.documents import corrections
from portal.documents.check import countries_of_rows
from portal.documents.corrections import Cell, Refused
from portal.documents.models import Document
from portal.documents.preview import Preview
from portal.documents.storage import sheet_part
from portal.documents.words import reason_words
from portal.jobs import queries
from portal.phone import Reason
from portal.web import check_page
from portal.web.access import wants_fragment
from portal.web.corrections.typed_cells import already_words, cell_of, typed_cells, used_offer

blueprint = Blueprint("corrections", __name__)


@blueprint.post("/documents/<id:document_id>/corrections")
@login_required
def save(document_id: int) -> ResponseReturnValue:
    """Keep what was typed, then do what the pressed button says: accept a group (`accept`) or one number (`use`), or
    take back a correction (`take_back`)."""
    document = _own_document(document_id)
    page = check_page.page_of(document, request.form, utcnow())
    if page["look"] is None or page["problems"]:
        return render_template("documents/check.html", **page), 422
    refused = _save_typed(document, page["look"])
    _press(document, page["look"])
    if not refused and not wants_fragment():
        address = url_for("documents.show", document_id=document_id, **page["fields"], _anchor="fix")
        return redirect(address, 303)
    page = check_page.page_of(_own_document(document_id), request.form, utcnow()) | {"refused": refused}
    template = "documents/_state.html" if wants_fragment() else "documents/check.html"
    return render_template(template, **page), 422 if refused else 200


def _save_typed(document: Document, look: Preview) -> dict[Cell, tuple[str, str]]:
    """Keep what was typed over cells that are no numbers, and return what was not kept: the text and why."""
    known = {(row_no, column): text for row_no, text, _, _, column in look.figures.bad_rows}
    there = {(one.row_no, one.column): one.corrected for one in look.corrections}
    refused: dict[Cell, tuple[str, str]] = {}
    wanted: dict[Cell, tuple[str, str]] = {}
    typed_over = dict(typed_cells())
    choice = look.picked.choice
    countries = countries_of_rows(look.path, choice, {row_no for row_no, _ in typed_over})
    for cell, typed in typed_over.items():
        read = corrections.read_typed(typed, countries.get(cell[0], choice.country), choice.country)
        if isinstance(read, Refused):
            refused[cell] = (typed, reason_words(read.reason or Reason.NOT_A_NUMBER, read.offered))
        elif cell in known:
            wanted[cell] = (known[cell], read)
        elif there.get(cell) != read:
            refused[cell] = (typed, already_words())
    document_id, key = document.id, document.storage_key
    if wanted:
        kept = corrections.correct(document_id, key, look.picked.sheet.index, wanted, utcnow())
        refused |= {cell: (numbers, already_words()) for cell, (_, numbers) in wanted.items() if cell not in kept}
    return refused


def _press(document: Document, look: Preview) -> None:
    """Do what the pressed button says."""
    form, picked, now = request.form, look.picked, utcnow()
    document_id, key, sheet = document.id, document.storage_key, picked.sheet.index
    if "accept" in form:
        reason = _reason(form["accept"])
        path: Path = current_app.extensions["storage"].fetch(key, sheet_part(sheet))
        made = corrections.corrections_of(document_id, sheet)
        cells = dict(corrections.offers(path, picked.choice, made, reason))
        corrections.correct(document_id, key, sheet, cells, now)
    elif "use" in form:
        cell, number = used_offer()
        cell = cell or abort(400)
        offered = {(row_no, column): (text, numbers) for row_no, text, _, numbers, column in look.figures.bad_rows}
        text, numbers = offered.get(cell, ("", ()))
        if number in numbers:  # else it was corrected in another tab meanwhile
            corrections.correct(document_id, key, sheet, {cell: (text, number)}, now)
    elif form.get("take_back") == "all":
        corrections.take_back(document_id, sheet, None)
    elif "take_back" in form:
        corrections.take_back(document_id, sheet, cell_of(form["take_back"]) or abort(400))


def _reason(code: str) -> Reason:
    return Reason(code) if code in set(Reason) else abort(400)


def _own_document(document_id: int) -> Document:
    """Admins may view any document; only its owner may correct it."""
    document = queries.find_document(current_user, document_id)
    return document if document is not None and document.user_id == current_user.id else abort(404)
