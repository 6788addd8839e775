"""The last step of a draft: its name, its pace and its price, and the press that makes it a source."""

from typing import Any

from flask import Response, current_app, flash, make_response, redirect, request, url_for
from flask_babel import gettext
from flask_login import current_user

from portal import sources
from portal.clock import utcnow
from portal.jobs.trials import draft_bill
from portal.sources import catalogue, drafts, recipe_store, shelf
from portal.sources.editor.drafted import drafted_recipe, mistakes_in, read_sample
from portal.sources.editor.saved_tests import cases_of
from portal.sources.recipes.loader import NAME
from portal.web.access import admin_required
from portal.web.editor.blueprint import blueprint
from portal.web.editor.pages import render, save, to
from portal.web.editor.price import figure, take_price
from portal.web.editor.shown import DraftPage, page_of

UNITS = ("s", "min", "h")


@blueprint.post("/admin/editor/<token>/offer")
@admin_required
def offer(token: str) -> Response:
    """Keep name, pace and price; with `offer`, let people choose the source."""
    now = utcnow()
    page = page_of(token, now)
    if problem := _take_form(page):
        return make_response(render(page, "offer", problem=problem, typed=request.form), 422)
    _write_tests(page)
    if mistakes := mistakes_in(page.document.text, *catalogue.opened()):
        blocking = [one for one in mistakes if one.code != "no_fields"]
        if blocking:
            return make_response(render(page, "offer", mistakes=blocking, typed=request.form), 422)
    save(page, now)
    draft_bill.settle(token, current_user.id)
    if "offer" not in request.form:
        flash(gettext("Saved."), "ok")
        return to(token, "offer")
    page = page_of(token, now)
    if problem := _problem(page):
        return make_response(render(page, "offer", problem=problem), 422)
    name = page.document.value("name")
    if not _place(page):
        said = gettext("The configuration could not be put into its folder.")
        return make_response(render(page, "offer", problem=said), 500)
    drafts.change(token, page.draft.text, current_user.email, now, source=name, file=page.draft.file or f"{name}.toml")
    drafts.note_offer(current_user.email, name, now)
    flash(gettext("The source is ready: people can choose it for their files."), "ok")
    is_here = name in sources.names()
    return make_response(redirect(url_for("admin.source", name=name) if is_here else url_for("admin.sources"), 303))


def _problem(page: DraftPage) -> str:
    """What keeps a draft from being offered; empty if nothing does."""
    name = page.document.value("name")
    if page.recipe is None:
        return gettext("Choose at least one field of an answer first.")
    if page.document.value("kind") == "batch" and "@" in (page.document.value("batch", "key"),):
        return gettext(
            "Choose a field of an answer with an entry for its number first: then we know which entry is whose."
        )
    if page.missing_secrets:
        return gettext("These keys are missing: %(names)s", names=", ".join(page.missing_secrets))
    if page.draft.source != name and (name in sources.names() or _file_of(name)):
        return gettext("Another source already has this name. Choose a different one.")
    return ""


def _file_of(name: str) -> str:
    return next((one.path.name for one in catalogue.recipe_files() if one.name == name), "")


def _place(page: DraftPage) -> bool:
    """Put the recipe where the recipes are. The text before it becomes a version too, if it is none yet."""
    now, config = utcnow(), current_app.config
    name = page.document.value("name")
    file = page.draft.file or f"{name}.toml"
    before = next((one.recipe for one in catalogue.recipe_files() if one.path.name == file), None)
    if before is not None:
        recipe_store.note_version(file, before.text, "", now)
    try:
        shelf.place_text(
            file, page.draft.text, config["SOURCES_DIR"], config["SQLALCHEMY_DATABASE_URI"], current_user.email, now
        )
    except shelf.NotPlaced:
        return False
    catalogue.note_saved()
    return True


def _write_tests(page: DraftPage) -> None:
    """Make tests of the answers that the recipe reads as a person does."""
    recipe = drafted_recipe(page.document.text)
    read = {one.id: read_sample(recipe, one) for one in page.answers} if recipe else {}
    if recipe is None or not read:
        return
    right = [one for one in page.answers if page.is_right(one) and not page.ignores_key(one)]
    page.document.set_tests(cases_of(recipe, right, read))


def _take_form(page: DraftPage) -> str:
    """Take what the form has into the document; returns what is wrong with it."""
    document, form = page.document, request.form
    if page.draft.source is None and (name := form.get("name", "").strip().lower()):
        document.set("", "name", name if NAME.fullmatch(name) else name[:40])
    title = {language: text for language in ("en", "es") if (text := form.get(f"title_{language}", "").strip()[:80])}
    if title:
        document.set("", "title", title)
    _take_limits(document, form)
    return take_price(document, form)


def _take_limits(document: Any, form: Any) -> None:
    if "rate" not in form:
        return
    rate, unit = figure(form.get("rate", "")), form.get("unit", "s")
    document.set("limits", "rate", f"{rate}/{unit if unit in UNITS else 's'}" if rate else None)
    together = form.get("concurrency", "").strip()
    document.set("limits", "concurrency", int(together) if together.isdigit() else None)
    days = figure(form.get("cache", ""))
    document.set("limits", "cache", f"{days} days" if days and days != "0" else None)
    size = form.get("size", "").strip()
    if document.value("kind") == "batch" and size.isdigit():
        document.set("batch", "size", int(size))
