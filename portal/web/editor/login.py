"""The part of a draft that signs in before it asks: a second command is pasted, and the token is pressed on."""

from typing import Any

from flask import Response, make_response, request
from flask_login import current_user

from portal.clock import utcnow
from portal.jobs.trials import draft_samples
from portal.jobs.trials.source_trial import RedisAway
from portal.jobs.words.statuses import no_worker_words
from portal.sources import catalogue
from portal.sources.editor.curl import NotRead
from portal.sources.editor.login import TOKEN, read_login, with_token
from portal.web.access import admin_required
from portal.web.editor import words
from portal.web.editor.blueprint import blueprint
from portal.web.editor.pages import LONGEST_TEXT, keep, keep_secrets, render, to
from portal.web.editor.shown import DraftPage, page_of


@blueprint.post("/admin/editor/<token>/login")
@admin_required
def change_login(token: str) -> Response:
    """Do what the pressed button says: `paste` reads the command, `take` is the row with the token, `remove` takes the
    request away; `keep` and `replaces` say how long the token is kept, and which key it replaces."""
    now, form = utcnow(), request.form
    page = page_of(token, now)
    document = page.document
    if "remove" in form:
        _put_back(page)
        document.set_before(None)
    elif "paste" in form:
        if problem := _paste(page):
            return make_response(render(page, "answers", login_problem=problem, typed=form), 422)
    elif document.before:
        _choose(page)
    if broken := keep(page, now):
        return make_response(render(page_of(token, now), "answers", login_problem=broken, typed=form), 422)
    if ("paste" in form or "ask" in form) and (problem := _ask(token)):
        return make_response(render(page_of(token, now), "answers", login_problem=problem), 503)
    return to(token, "answers", "login")


def _paste(page: DraftPage) -> str:
    """Read the command and keep its secrets; returns why it could not be read."""
    try:
        found = read_login(request.form.get("login", "")[:LONGEST_TEXT], catalogue.known_secrets())
    except NotRead as error:
        return words.not_read_words(error.code, error.what)
    keep_secrets(found.secrets, utcnow())
    page.document.set_before(found.table)
    _replace(page, next(iter(page.secrets_of_request), ""))
    return ""


def _choose(page: DraftPage) -> None:
    document, form = page.document, request.form
    found: dict[str, Any] = dict(document.before)
    place = form.get("take", type=int)
    if place is not None and 0 <= place < len(page.login_rows) and (path := page.login_rows[place].place.get("path")):
        found["take"] = {**found.get("take", {}), TOKEN: path}
    if minutes := form.get("keep", "").strip():
        found["keep"] = f"{minutes} min" if minutes.isdigit() and int(minutes) else found.get("keep")
    if "cookies" in form:
        found["cookies"] = form["cookies"] == "yes" or None
    document.set_before({key: value for key, value in found.items() if value is not None})
    if form.get("replaces", "") in page.secrets_of_request:
        _replace(page, form["replaces"])


def _replace(page: DraftPage, secret: str) -> None:
    """Put the token in the place of a secret of the request; without one, where most providers want it."""
    document = page.document
    for key in ("url", "body"):
        if text := document.value("request", key):
            document.set("request", key, with_token(text, secret) if secret else text)
    headers = dict(document.value("request", "headers") or {})
    headers = {name: with_token(text, secret) if secret else text for name, text in headers.items()}
    whole = " ".join(
        [*headers.values(), document.value("request", "url") or "", document.value("request", "body") or ""]
    )
    if f"{{{TOKEN}}}" not in whole:
        headers["Authorization"] = f"Bearer {{{TOKEN}}}"
    document.set("request", "headers", headers)


def _put_back(page: DraftPage) -> None:
    """Let the request have a key again in the place of the token."""
    document = page.document
    name = f"{(document.value('name') or 'source').upper().replace('-', '_')}_TOKEN"
    headers = document.value("request", "headers") or {}
    with_key = {one: text.replace(f"{{{TOKEN}}}", f"{{secret:{name}}}") for one, text in headers.items()}
    document.set("request", "headers", with_key or None)
    for key in ("url", "body"):
        if text := document.value("request", key):
            document.set("request", key, text.replace(f"{{{TOKEN}}}", f"{{secret:{name}}}"))


def _ask(token: str) -> str:
    """Let a worker sign in, once every key is there; returns why it could not be asked."""
    page = page_of(token, utcnow())
    number = page.draft.number or next((one.row.number for one in page.samples), "")
    if page.missing_secrets:
        return ""
    try:
        draft_samples.ask(
            token, [], current_user.email, utcnow(), signs_in=number or "+34600000000", user_id=current_user.id
        )
    except RedisAway:
        return no_worker_words()
    return ""
