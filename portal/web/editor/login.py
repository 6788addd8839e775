"""The part of a draft that signs in before it asks: a second command is pasted, and the token is pressed on."""

from typing import Any

from flask import Response, make_response, request
from flask_login import current_user

from portal.clock import utcnow
from portal.jobs.trials import draft_samples
from portal.jobs.trials.source_trial import RedisAway
from portal.jobs.words.statuses import no_worker_words
from portal.sources import catalogue
from portal.sources.editor.login import (
    place_of_token,
    put_back_secret,
    read_login,
    use_token,
    with_token_at,
    without_token,
)
from portal.sources.editor.pasted_request import NotRead
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
        put_back_secret(document)
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
    use_token(page.document, next(iter(page.secrets_of_request), ""))
    return ""


def _choose(page: DraftPage) -> None:
    document, form = page.document, request.form
    found: dict[str, Any] = dict(document.before)
    rows, place = page.login_rows, form.get("take", type=int)
    if place is not None and 0 <= place < len(rows) and rows[place].place:
        found = with_token_at(found, rows[place].place, page.login_format)
    if minutes := form.get("keep", "").strip():
        found["keep"] = f"{minutes} min" if minutes.isdigit() and int(minutes) else found.get("keep")
    document.set_before(found)
    if "cookie" in place_of_token(found):
        without_token(document)
    elif form.get("replaces", "") in page.secrets_of_request:
        use_token(document, form["replaces"])
    elif place is not None:
        use_token(document)


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
