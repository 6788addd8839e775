"""Several uploads at once: one card for each, and a button that starts those that need no decision."""

import time
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, gettext, ngettext
from flask_login import current_user, login_required
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import ServiceUnavailable

from portal.clock import utcnow
from portal.documents.models import Document, Reading
from portal.jobs import commands, queries, uploads
from portal.jobs.words.statuses import cannot_start_words
from portal.web import check_page
from portal.web.access import begin_reading
from portal.web.files.items import documents_in, items_of_form
from portal.web.request_fields import id_list
from portal.web.words.guess_words import warnings_of

blueprint = Blueprint("several", __name__)
MOST = 50  # cards on one page
COUNTING_SECONDS = 1.0  # of one request; cards that are not counted by then ask again


@dataclass(frozen=True)
class Card:
    """One upload. `look` is None until it is counted; `is_clear`: it can be started without a look at it."""

    document: Document
    page: dict[str, Any]
    state: str

    @property
    def look(self) -> Any:
        return self.page.get("look")

    @property
    def is_clear(self) -> bool:
        page = self.page
        doubts = page.get("problems") or page.get("warnings") or page.get("earlier") or page.get("jobs")
        return bool(self.look and self.look.figures.to_look_up and not doubts and not page.get("returned"))


@blueprint.get("/documents")
@login_required
def check() -> ResponseReturnValue:
    """A card for each of the files in `ids`: being read, ready to start, or unusable."""
    found = [queries.find_document(current_user, one) for one in id_list(request.args.get("ids", ""))[:MOST]]
    documents = [one for one in found if one is not None and one.user_id == current_user.id]
    if not documents:
        return redirect(url_for("documents.index"), 303)
    until = time.monotonic() + COUNTING_SECONDS
    cards = [_card(one, counts=time.monotonic() < until) for one in documents]
    return render_template("documents/several.html", cards=cards, ids=",".join(str(one.id) for one in documents))


@blueprint.get("/documents/<id:document_id>/card")
@login_required
def card(document_id: int) -> ResponseReturnValue:
    """One card as it is now; 204 while nothing has changed."""
    document = queries.find_document(current_user, document_id)
    if document is None or document.user_id != current_user.id:
        abort(404)
    made = _card(document, counts=True)
    if request.args.get("v") == made.state:
        return "", 204
    return render_template("documents/_card.html", card=made)


@blueprint.post("/documents/start")
@login_required
def start() -> ResponseReturnValue:
    """Start each of the ticked files with the choice that its card shows."""
    started: list[str] = []
    left: list[tuple[str, str]] = []
    for document in documents_in(items_of_form()):
        begin_reading()  # the last start has ended the transaction
        name, why = document.file_name, _started(document)
        if why:
            left.append((name, why))
        else:
            started.append(name)
    if started:
        flash(ngettext("%(n)s file was started.", "%(n)s files were started.", len(started), n=len(started)), "ok")
    for name, why in left:
        flash(f"{name}: {why}", "warn")
    if not started and not left:
        flash(gettext("Select at least one file that was not started."), "info")
    return redirect(url_for("documents.index"), 303)


def _card(document: Document, *, counts: bool) -> Card:
    if document.state is not Reading.READY:
        return Card(document, check_page.page_of(document, MultiDict(), utcnow()), document.state.value)
    if counts:
        try:
            page = check_page.page_of(document, MultiDict(), utcnow())
            if look := page["look"]:  # that numbers may be another country's is no doubt about the portal's own
                own = look.picked.choice.country == current_app.config["DEFAULT_COUNTRY"]
                page["warnings"] = warnings_of(look, str(get_locale()), sure=own or page["remembered"])
            return Card(document, page, "counted")
        except ServiceUnavailable:  # another of this person's files is being counted
            pass
    return Card(document, {}, "counting")


def _started(document: Document) -> str:
    """Start it; returns why not, or nothing."""
    if document.state is not Reading.READY:
        return gettext("it is not ready yet.")
    document_id = document.id
    try:
        page = check_page.page_of(document, MultiDict(), utcnow())
    except ServiceUnavailable:
        return gettext("it is still being counted. Try again in a moment.")
    look = page["look"]
    if look is None or page["problems"] or not look.figures.to_look_up:
        return gettext("open it and choose what to look up.")
    begun = uploads.jobs_started(document_id)
    if begun:
        return gettext("it has already been started.")
    try:
        commands.start(document, look.picked.choice, page["source"], _person(), utcnow(), begun=begun)
    except commands.CannotStart as error:
        return cannot_start_words(error.code)
    return ""


def _person() -> Any:
    return current_user._get_current_object()
