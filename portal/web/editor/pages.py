"""The editor's pages: a command is pasted, and each step of its draft is shown."""

from datetime import datetime
from typing import Any

from flask import Response, abort, current_app, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user

from portal import sources
from portal.clock import utcnow
from portal.sources import catalogue, drafts, secret_store
from portal.sources.editor import pasting
from portal.sources.editor.drafted import FILE, mistakes_in, name_in, stops
from portal.sources.editor.pasted_request import NotRead
from portal.sources.recipes.toml_table import Mistake
from portal.sources.recipes.words import mistake_sentence, mistake_words
from portal.web.access import admin_required
from portal.web.editor import words
from portal.web.editor.blueprint import blueprint
from portal.web.editor.price import price_words, typed_price
from portal.web.editor.shown import DraftPage, page_of

STEPS = ("answers", "rules", "offer", "text", "request")
LONGEST_TEXT = 200_000


@blueprint.get("/admin/editor")
@admin_required
def index() -> str:
    """Show the box for a command, and the drafts that there are."""
    return _new()


@blueprint.post("/admin/editor")
@admin_required
def create() -> Response:
    """Read a command, keep its secrets, and go on with its draft."""
    command, number = request.form.get("command", "")[:LONGEST_TEXT], request.form.get("number", "").strip()[:40]
    try:
        found = pasting.read(command, current_app.config["DEFAULT_COUNTRY"], catalogue.known_secrets(), number)
    except NotRead as error:
        problem = words.not_read_words(error.code, error.what)
        page = _new(command=command, number=number, problem=problem, asks_number=error.code == "no_number")
        return make_response(page, 422)
    now, notes = utcnow(), [list(one) for one in found.left_out]
    if "[batch]" in found.text:
        notes.append(["size", ""])
    keep_secrets(found.secrets, now)
    number = found.numbers[0] if found.numbers else ""
    taken = {*sources.names(), *(name_in(one.text) for one in drafts.listed())}
    token = drafts.create(pasting.named(found, taken), current_user.email, now, notes=notes, number=number)
    return to(token, "answers")


@blueprint.get("/admin/editor/<token>")
@admin_required
def draft(token: str) -> Response:
    """Go to the step of a draft where one is."""
    return to(token, "answers")


@blueprint.get("/admin/editor/<token>/<step>")
@admin_required
def show(token: str, step: str) -> str:
    """Show one step of a draft."""
    if step not in STEPS:
        abort(404)
    return render(page_of(token, utcnow()), step)


@blueprint.post("/admin/editor/<token>/delete")
@admin_required
def delete(token: str) -> Response:
    """Delete a draft with its answers, and the secrets that nothing else uses."""
    page, now = page_of(token, utcnow()), utcnow()
    others = {name for one in catalogue.recipe_files() if one.recipe for name in one.recipe.secrets}
    texts = [one.text for one in drafts.listed() if one.token != token]
    recipe = page.asking
    for name in recipe.secrets if recipe else ():
        if name not in others and not any(name in text for text in texts):
            secret_store.forget(name, current_user.email, now)
    drafts.remove(token)
    catalogue.note_saved()
    flash(gettext("The draft was deleted, with its answers."), "ok")
    return make_response(redirect(url_for("editor.index"), 303))


def render(page: DraftPage, step: str, **more: Any) -> str:
    """One step of a draft."""
    chosen = request.args.get("sample", type=int)
    answers = page.answers
    sample = next((one for one in answers if one.id == chosen), answers[0] if answers else None)
    return render_template(
        f"editor/{step}.html",
        **{
            "page": page,
            "step": step,
            "token": page.draft.token,
            "document": page.document,
            "sample": sample,
            "facts": next((one.facts for one in page.samples if sample and one.row.id == sample.id), {}),
            "tree": page.tree(sample) if sample and step == "answers" else None,
            "words": words,
            "price_words": price_words(page.document),
            "typed_price": typed_price(page.document),
            "mistake_words": _with_its_line if step == "text" else mistake_sentence,
            **more,
        },  # fmt: skip
    )


def _with_its_line(mistake: Mistake) -> str:
    return mistake_words(mistake).removeprefix(f"{FILE}, ")


def to(token: str, step: str, anchor: str = "editor-head", **more: Any) -> Response:
    """Lead to one step, or a part of it, which takes the focus."""
    return make_response(redirect(url_for("editor.show", token=token, step=step, _anchor=anchor, **more), 303))


def _new(**more: Any) -> str:
    known = [(one, name_in(one.text)) for one in drafts.listed()]
    return render_template("editor/new.html", drafts=known, **more)


def keep(page: DraftPage, now: datetime) -> str:
    """Keep the document as it is now. Returns what the change would have broken, in words; then nothing is kept."""
    if broken := stops(mistakes_in(page.document.text, *catalogue.opened())):
        return _with_its_line(broken[0])
    drafts.change(page.draft.token, page.document.text, current_user.email, now)
    return ""


def save(page: DraftPage, now: datetime) -> None:
    """Do the same, and say on the next page what it would have broken."""
    if broken := keep(page, now):
        flash(broken, "bad")


def keep_secrets(values: dict[str, str], now: datetime) -> None:
    """Keep the secrets that have a value."""
    keys = current_app.config["SIGNING_KEYS"]
    given = {name: value for name, value in values.items() if 0 < len(value) <= secret_store.LONGEST_VALUE}
    for name, value in given.items():
        secret_store.save(name, value, keys, current_user.email, now)
    if given:
        catalogue.note_saved()


def keep_secrets_of_form(page: DraftPage, now: datetime) -> None:
    """Keep the secrets that the form has."""
    recipe = page.recipe or page.asking
    names = recipe.secrets if recipe else ()
    keep_secrets({name: request.form.get(f"secret:{name}", "").strip() for name in names}, now)
