"""The admins' page about the portal itself: its workers, queues, servers, disk and versions, kept fresh while open.

It belongs to the admins' blueprint: for anybody else it does not exist.
"""

from hashlib import blake2s
from typing import Any

from flask import current_app, make_response, render_template, request
from flask.typing import ResponseReturnValue

from portal.clock import utcnow
from portal.jobs.health import checks, processes
from portal.jobs.health.checks import HealthState
from portal.jobs.health.versions import versions
from portal.jobs.health.words import describe
from portal.web.access import admin_required
from portal.web.admin.blueprint import blueprint


@blueprint.get("/admin/health", endpoint="health")
@admin_required
def show() -> str:
    """Every part of the portal and how it is."""
    return render_template("admin/health.html", **_parts(), versions=versions())


@blueprint.get("/admin/health/live", endpoint="health_live")
@admin_required
def live() -> ResponseReturnValue:
    """The same parts, or 204 while they read as the asking page has them."""
    parts = _parts()
    if request.args.get("v") == parts["mark"]:
        return make_response("", 204)
    return render_template("admin/_health.html", **parts)


def _parts() -> dict[str, Any]:
    """What changes on the page, and a short text that changes with what can be read there."""
    now = utcnow()
    findings = [(one, describe(one)) for one in checks.findings(now)]
    workers = [(one, processes.is_alive(one, now)) for one in processes.workers(now)]
    read = [(one.state, say, one.facts.get("since"), one.facts.get("at")) for one, say in findings]
    seen = [(one.name, one.seen_at, one.doing, there) for one, there in workers]
    return {
        "findings": findings,
        "wrong": sum(one.state != HealthState.WELL for one, _ in findings),
        "workers": workers,
        "has_notices": "admin.notices" in current_app.view_functions,
        "mark": blake2s(repr((read, seen)).encode(), digest_size=6).hexdigest(),
    }
