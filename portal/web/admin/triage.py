"""The page of jobs that need attention, by cause and time."""

from flask import render_template, request

from portal.clock import utcnow
from portal.jobs.admin import job_list, triage
from portal.jobs.admin.filters import Filters
from portal.jobs.core.status import Status
from portal.jobs.words.causes import explain, remedy
from portal.web.access import admin_required, wants_fragment
from portal.web.admin.blueprint import blueprint
from portal.web.admin.filters import NO_CAUSE


@blueprint.get("/admin/triage", endpoint="triage")
@admin_required
def show() -> str:
    """Show the grid, with the most frequent cause on top."""
    stopped = "stopped" in request.args
    now = utcnow()
    found = triage.grid(now, stopped=stopped)
    return render_template(
        "admin/_triage.html" if wants_fragment() else "admin/triage.html",
        grid=found,
        spans=list(triage.SPANS),
        stopped=stopped,
        top=found.rows[0] if found.rows else None,
        explained=explain(found.rows[0].cause) if found.rows else None,
        remedy=remedy(found.rows[0].cause) if found.rows else "",
        no_cause=NO_CAUSE,
        completed=None if found.rows else job_list.status_counts(Filters())[Status.COMPLETED],
        cap=triage.CAP,
        now=now,
    )
