"""The pages of figures: everybody's for admins, and a person's own; and each of their tables as a file."""

from flask import Blueprint, Response, render_template
from flask_login import current_user

from portal.clock import utcnow
from portal.web import metrics_page
from portal.web.access import login_required
from portal.web.metrics_page import MetricsQuery, table_file

blueprint = Blueprint("figures", __name__)


@blueprint.get("/figures")
@login_required
def mine() -> str:
    """The person's own figures."""
    return render_template("metrics/mine.html", **metrics_page.ones_own(MetricsQuery.read(), utcnow(), current_user.id))


@blueprint.get("/figures/<name>.csv")
@login_required
def my_table(name: str) -> Response:
    """One table of that page, as a file."""
    return table_file(metrics_page.table(name, MetricsQuery.read(), utcnow(), current_user.id))
