"""The pages of figures: everybody's for admins, and a person's own; and each of their tables as a file."""

from flask import Blueprint, Response, abort, make_response, render_template, request
from flask_babel import gettext
from flask_login import current_user

from portal.clock import utcnow
from portal.jobs.figures.records import EVERYBODY
from portal.web import figure_page
from portal.web.access import admin_required, login_required
from portal.web.admin import blueprint as admins
from portal.web.figure_page import Asked
from portal.web.tables import Table

blueprint = Blueprint("figures", __name__)


@admins.get("/admin/metrics")
@admin_required
def metrics() -> str:
    """Everybody's figures over the span of the address."""
    return render_template("figures/everybody.html", **figure_page.everybodys(Asked.read(), utcnow()))


@admins.get("/admin/metrics/live")
@admin_required
def metrics_live() -> str | Response:
    """The counters of just now, or 204 while they are what the asker shows."""
    page = figure_page.standing()
    if request.args.get("v") == page["live_version"]:
        return make_response("", 204)
    return render_template("figures/_live.html", **page)


@admins.get("/admin/metrics/<name>.csv")
@admin_required
def metrics_table(name: str) -> Response:
    """One table of the page, as a file."""
    return _file(figure_page.table(name, Asked.read(), utcnow(), EVERYBODY))


@blueprint.get("/figures")
@login_required
def mine() -> str:
    """The person's own figures."""
    return render_template("figures/mine.html", **figure_page.ones_own(Asked.read(), utcnow(), current_user.id))


@blueprint.get("/figures/<name>.csv")
@login_required
def my_table(name: str) -> Response:
    """One table of that page, as a file."""
    return _file(figure_page.table(name, Asked.read(), utcnow(), current_user.id))


def _file(table: Table | None) -> Response:
    if table is None:
        abort(404)
    answer = make_response(table.as_csv())
    answer.mimetype = "text/csv"
    name = gettext("figures")
    answer.headers["Content-Disposition"] = f"attachment; filename={name}-{table.name}.csv"
    return answer
