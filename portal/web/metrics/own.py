"""A person's own statistics, and each of their tables as a CSV file. Those of all users are in `admin.metrics`."""

from flask import Blueprint, Response, render_template
from flask_babel import gettext
from flask_login import current_user

from portal.clock import utcnow
from portal.jobs.spending import figures
from portal.web.access import login_required
from portal.web.metrics import page as metrics_page
from portal.web.metrics import spending_tables
from portal.web.metrics.page import MetricsQuery, table_file

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/figures")
@login_required
def own() -> str:
    """The person's own statistics."""
    spent = figures.spent(current_user.id)
    by_month = spending_tables.grouped(
        spent, "month", gettext("Month"), lambda one: one.month, spending_tables.month_words
    )
    page = metrics_page.own_page(MetricsQuery.read(), utcnow(), current_user.id)
    return render_template("metrics/mine.html", **page, spending=by_month)


@blueprint.get("/figures/spending.csv")
@login_required
def own_spending() -> Response:
    """What the person's files have cost, by month and source, as a CSV file."""
    return table_file(spending_tables.all_rows(figures.spent(current_user.id), people=False))


@blueprint.get("/figures/<name>.csv")
@login_required
def own_table(name: str) -> Response:
    """One table of that page as a CSV file."""
    return table_file(metrics_page.table(name, MetricsQuery.read(), utcnow(), current_user.id))
