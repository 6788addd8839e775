"""A person's own statistics, and each of their tables as a CSV file. Those of all users are in `admin.metrics`."""

from flask import Blueprint, Response, render_template
from flask_login import current_user

from portal.clock import utcnow
from portal.web.access import login_required
from portal.web.metrics import page as metrics_page
from portal.web.metrics.page import MetricsQuery, table_file

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/figures")
@login_required
def own() -> str:
    """The person's own statistics."""
    return render_template("metrics/mine.html", **metrics_page.own_page(MetricsQuery.read(), utcnow(), current_user.id))


@blueprint.get("/figures/<name>.csv")
@login_required
def own_table(name: str) -> Response:
    """One table of that page as a CSV file."""
    return table_file(metrics_page.table(name, MetricsQuery.read(), utcnow(), current_user.id))
