"""The list of first steps on the pages of administrators: hide it, show it again, send oneself a test email; and who
people should ask."""

from flask import Flask, Response, flash, make_response, redirect, request, url_for
from flask_babel import gettext
from flask_login import current_user

from portal.clock import utcnow
from portal.jobs.admin import portal_settings
from portal.jobs.admin.first_steps import open_steps
from portal.notices.mail_test import send_test_email
from portal.web.access import admin_required
from portal.web.admin.blueprint import blueprint


def set_up(app: Flask) -> None:
    """Let a template ask for the steps that are left."""
    app.jinja_env.globals["open_steps"] = open_steps


@blueprint.post("/admin/first-steps")
@admin_required
def choose_first_steps() -> Response:
    """Hide the list, or show it again (`show`)."""
    portal_settings.hide_steps("show" not in request.form, current_user.email, utcnow())
    return make_response(redirect(url_for("admin.overview"), 303))


@blueprint.post("/admin/test-email")
@admin_required
def send_test() -> Response:
    """Send a test email to the administrator who asks."""
    send_test_email(current_user.id, utcnow())
    flash(gettext("A test email to %(email)s is on its way.", email=current_user.email), "ok")
    return make_response(redirect(url_for("admin.overview"), 303))


@blueprint.post("/admin/contact")
@admin_required
def set_contact() -> Response:
    """Save whom people should ask; empty for the administrators."""
    portal_settings.set_contact(request.form.get("contact", ""), current_user.email, utcnow())
    flash(gettext("Saved."), "ok")
    return make_response(redirect(url_for("help.show", slug="contact"), 303))
