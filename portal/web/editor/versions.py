"""The versions of a source's recipe: who has written each and what it changed, and the way back; and the draft that
changes a source which is there."""

from flask import Response, abort, current_app, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user

from portal.clock import utcnow
from portal.sources import catalogue, drafts, recipe_store, shelf
from portal.sources.recipes.folder import RecipeFile
from portal.web.access import admin_required
from portal.web.editor.blueprint import blueprint
from portal.web.editor.pages import to


def _file(name: str) -> RecipeFile:
    found = next((one for one in catalogue.recipe_files() if one.name == name), None)
    if found is None:
        abort(404)
    return found


@blueprint.post("/admin/sources/<name>/drafts")
@admin_required
def edit(name: str) -> Response:
    """Go on with the draft of a source, or make one of its recipe."""
    found, now = _file(name), utcnow()
    recipe = found.offered or found.recipe
    if recipe is None:
        abort(404)
    known = drafts.of_source(name)
    if known is None:
        token = drafts.create(recipe.text, current_user.email, now, source=name, file=found.path.name)
        return to(token, "answers")
    if request.form.get("anew"):
        drafts.change(known.token, recipe.text, current_user.email, now)
    return to(known.token, "answers")


@blueprint.get("/admin/sources/<name>/versions")
@admin_required
def versions(name: str) -> str:
    """Show the versions of a source, the newest first."""
    found = _file(name)
    recipe = found.offered or found.recipe
    return render_template(
        "editor/versions.html", name=name, versions=recipe_store.versions(found.path.name),
        present=recipe.text if recipe else "",
    )  # fmt: skip


@blueprint.post("/admin/sources/<name>/versions/<id:version_id>")
@admin_required
def go_back(name: str, version_id: int) -> Response:
    """Use an earlier version again; it becomes the newest one."""
    found, now, config = _file(name), utcnow(), current_app.config
    version = next((one for one in recipe_store.versions(found.path.name) if one.id == version_id), None)
    if version is None:
        abort(404)
    folder, url = config["SOURCES_DIR"], config["SQLALCHEMY_DATABASE_URI"]
    try:
        shelf.place_text(found.path.name, version.text, folder, url, current_user.email, now)
    except shelf.NotPlaced:
        flash(gettext("The configuration could not be put into its folder."), "bad")
    else:
        drafts.note_offer(current_user.email, name, now)
        catalogue.note_saved()
        flash(gettext("The version %(name)s is in use again.", name=version.name), "ok")
    return make_response(redirect(url_for("editor.versions", name=name), 303))
