"""The administrators' page of metrics: everybody's, and each of its tables as a file."""

from flask import Response, make_response, render_template, request

from portal.clock import utcnow
from portal.jobs.metrics.models import EVERYBODY
from portal.web.access import admin_required
from portal.web.admin.blueprint import blueprint
from portal.web.metrics import page as metrics_page
from portal.web.metrics.page import MetricsQuery, table_file


@blueprint.get("/admin/metrics")
@admin_required
def metrics() -> str:
    """Show all users' metrics over the period in the address."""
    return render_template("metrics/all.html", **metrics_page.all_users_page(MetricsQuery.read(), utcnow()))


@blueprint.get("/admin/metrics/live")
@admin_required
def metrics_live() -> str | Response:
    """Send the present counts, or 204 while the page already shows them."""
    page = metrics_page.current_counts()
    if request.args.get("v") == page["live_version"]:
        return make_response("", 204)
    return render_template("metrics/_status_counts.html", **page)


@blueprint.get("/admin/metrics/<name>.csv")
@admin_required
def metrics_table(name: str) -> Response:
    """Send one table of the page as a file."""
    return table_file(metrics_page.table(name, MetricsQuery.read(), utcnow(), EVERYBODY))
