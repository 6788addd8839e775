"""The part of a draft about several numbers in one request, and about answers that come later."""

from typing import Any

from flask import Response, make_response, request
from flask_babel import gettext

from portal.clock import utcnow
from portal.sources.editor import batch_guess
from portal.web.access import admin_required
from portal.web.editor.blueprint import blueprint
from portal.web.editor.pages import keep, render, to
from portal.web.editor.shown import DraftPage, page_of

MISSING = ("retry", "not_found", "rejected")
KEYS = ("each", "join", "items", "key")


@blueprint.post("/admin/editor/<token>/batch")
@admin_required
def change_batch(token: str) -> Response:
    """Do what the pressed button says: `many` and `one` say how many numbers go into a request, `poll` and `at_once`
    when the answers come; without one, the form's fields are kept."""
    now, form = utcnow(), request.form
    page = page_of(token, now)
    problem = ""
    if "many" in form:
        _to_many(page)
    elif "one" in form:
        _to_one(page)
    elif "at_once" in form:
        page.document.set_poll(None)
    elif "poll" in form:
        problem = _poll(page)
    elif page.document.value("kind") == "batch":
        _fields(page)
    if problem := problem or keep(page, now):
        return make_response(render(page_of(token, now), "answers", batch_problem=problem, typed_batch=form), 422)
    return to(token, "answers", "batch")


def _to_many(page: DraftPage) -> None:
    document = page.document
    found, batch = batch_guess.for_many(document.value("request") or {})
    document.set("", "kind", "batch")
    for key in ("url", "body"):
        document.set("request", key, found.get(key))
    for key, value in batch.items():
        document.set("batch", key, value)


def _to_one(page: DraftPage) -> None:
    document = page.document
    found = batch_guess.for_one(document.value("request") or {}, document.value("batch") or {})
    for key in ("url", "body"):
        document.set("request", key, found.get(key))
    for key in list(document.value("batch") or {}):
        document.set("batch", key, None)
    document.set("", "kind", "json")


def _fields(page: DraftPage) -> None:
    document, form = page.document, request.form
    size = form.get("size", "").strip()
    if size.isdigit():
        document.set("batch", "size", int(size))
    for key in KEYS:
        if key in form:
            text = form[key] if key == "join" else form[key].strip()
            document.set("batch", key, text[:1000] or None)
    if form.get("number") in ("e164", "digits", "national"):
        document.set("batch", "number", None if form["number"] == "e164" else form["number"])
    if form.get("missing") in MISSING:
        document.set("batch", "missing", None if form["missing"] == "retry" else form["missing"])


def _poll(page: DraftPage) -> str:
    """Keep how the answers are fetched; returns what is wrong with it."""
    document, form = page.document, request.form
    values = page.first_values
    address, ticket = form.get("poll_url", "").strip()[:2000], form.get("ticket", "").strip()[:500]
    address = address.removeprefix("curl ").strip(" \"'")
    if "{ticket}" not in address:
        shown = sorted(values.items(), key=lambda one: (one[0] != ticket, -len(one[1])))
        there = next((path for path, value in shown if len(value) > 3 and value in address), "")
        if not there:
            return gettext("Write %(ticket)s in the address where the ticket is.", ticket="{ticket}")
        address, ticket = address.replace(values[there], "{ticket}"), there
    ready: dict[str, Any] = {"json": form["ready"][:500]} if form.get("ready") else {"status": 200}
    known = document.value("batch", "poll") or {}
    found: dict[str, Any] = {**known, "url": address, "ticket": ticket, "ready": [ready]}
    for key in ("interval", "limit"):
        if (text := form.get(key, "").strip().replace(",", ".")) and text.replace(".", "", 1).isdigit():
            found[key] = float(text) if "." in text else int(text)
    if document.value("kind") != "batch":
        document.set("", "kind", "batch")
        for key, value in {"size": 1, "items": "@", "key": "@"}.items():
            document.set("batch", key, value)
    document.set_poll(found)
    return ""
