"""The page of the shelf: providers whose recipes ship with the portal, and a form for each that asks for its keys."""

from flask import Response, abort, current_app, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user

from portal import sources
from portal.clock import utcnow
from portal.sources import catalogue, secret_store, shelf
from portal.sources.words import in_language
from portal.web.access import admin_required
from portal.web.admin.blueprint import blueprint


@blueprint.get("/admin/shelf", endpoint="shelf")
@admin_required
def index() -> str:
    """Show the shelf: each provider with its coverage, its price and the keys that it asks for."""
    return render_template(
        "admin/shelf.html",
        shelf=shelf.all_recipes(),
        used=set(sources.names()),
        known=catalogue.has_own_secret,
        words=in_language,
    )


@blueprint.post("/admin/shelf/<name>", endpoint="use_shelf")
@admin_required
def use(name: str) -> Response:
    """Keep its keys and offer the source."""
    one = shelf.find(name)
    if one is None:
        abort(404)
    values = {secret: request.form.get(secret, "").strip() for secret in one.recipe.secrets}
    needed = [secret for secret, value in values.items() if not value and not catalogue.has_own_secret(secret)]
    if needed or any(len(value) > secret_store.LONGEST_VALUE for value in values.values()):
        flash(gettext("Enter every key of this provider."), "bad")
        return make_response(redirect(url_for("admin.shelf") + f"#{name}"))
    config = current_app.config
    given = {secret: value for secret, value in values.items() if value}
    folder, url = config["SOURCES_DIR"], config["SQLALCHEMY_DATABASE_URI"]
    try:
        shelf.use(one, given, config["SIGNING_KEYS"], folder, url, current_user.email, utcnow())
    except shelf.NotPlaced:
        flash(gettext("The keys are saved, but the recipe could not be put into the folder of recipes."), "bad")
        return make_response(redirect(url_for("admin.shelf")))
    catalogue.note_saved()
    flash(gettext("The source is ready: people can choose it for their files."), "ok")
    is_here = name in sources.names()
    return make_response(redirect(url_for("admin.source", name=name) if is_here else url_for("admin.sources")))
