"""Set and delete the sources' secrets that are kept for all machines. They can be written here and never read."""

import re

from flask import Response, current_app, flash, make_response, redirect, request, url_for
from flask_babel import gettext
from flask_login import current_user

from portal.clock import utcnow
from portal.jobs.health.secrets import ListedSecret, secrets_listed
from portal.sources import catalogue, secret_store
from portal.web.access import admin_required
from portal.web.admin.blueprint import blueprint

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def listed() -> list[ListedSecret]:
    """The secrets that `admin/_secrets.html` shows."""
    return secrets_listed(current_app.config["SIGNING_KEYS"])


@blueprint.post("/admin/secrets")
@admin_required
def set_secret() -> Response:
    """Keep a secret, in place of an earlier one of that name."""
    name, value = request.form.get("name", "").strip(), request.form.get("value", "").strip()
    if not NAME.fullmatch(name) or len(name) > secret_store.LONGEST_NAME:
        flash(gettext("Choose which secret it is."), "bad")
    elif not value or len(value) > secret_store.LONGEST_VALUE:
        flash(gettext("Enter the secret."), "bad")
    else:
        secret_store.save(name, value, current_app.config["SIGNING_KEYS"], current_user.email, utcnow())
        catalogue.note_saved()
        flash(gettext("The secret %(name)s was saved. All machines use it within half a minute.", name=name), "ok")
    return _back()


@blueprint.post("/admin/secrets/<name>/delete")
@admin_required
def delete_secret(name: str) -> Response:
    """Delete a kept secret."""
    if secret_store.forget(name, current_user.email, utcnow()):
        catalogue.note_saved()
        flash(gettext("The secret %(name)s was deleted.", name=name), "ok")
    else:
        flash(gettext("The secret %(name)s was already deleted.", name=name), "info")
    return _back()


def _back() -> Response:
    return make_response(redirect(url_for("admin.sources", _anchor="secrets-head"), 303))
