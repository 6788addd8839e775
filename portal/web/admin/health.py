"""The page of the portal's health: workers, queues, servers, disk and versions, updated while it is open."""

from hashlib import blake2s
from typing import Any

from flask import current_app, make_response, render_template, request
from flask.typing import ResponseReturnValue

from portal.clock import utcnow
from portal.documents.words import size_words
from portal.jobs.health import checks, hosts, processes
from portal.jobs.health.checks import HealthState
from portal.jobs.health.versions import versions
from portal.jobs.health.words import describe, missing_words, worker_words
from portal.web.access import admin_required
from portal.web.admin.blueprint import blueprint


@blueprint.get("/admin/health", endpoint="health")
@admin_required
def show() -> str:
    """Show every part of the portal and its state."""
    return render_template("admin/health.html", **_parts(), versions=versions())


@blueprint.get("/admin/health/live", endpoint="health_live")
@admin_required
def live() -> ResponseReturnValue:
    """Send the parts again, or 204 while the page already shows them."""
    parts = _parts()
    if request.args.get("v") == parts["mark"]:
        return make_response("", 204)
    return render_template("admin/_health.html", **parts)


def _parts() -> dict[str, Any]:
    """Return the parts of the page that change, and a short text that changes with them."""
    now = utcnow()
    findings = [(one, describe(one)) for one in checks.findings(now)]
    workers = [(one, processes.is_alive(one, now)) for one in processes.workers(now)]
    machines = [(one, hosts.is_alive(one, now)) for one in hosts.hosts(now)]
    read = [(one.state, say, one.facts.get("since"), one.facts.get("at")) for one, say in findings]
    there_now = [(one.name, one.seen_at, there) for one, there in machines]
    seen = [(one.name, one.seen_at, one.doing, there) for one, there in workers]
    return {
        "findings": findings,
        "wrong": sum(one.state != HealthState.WELL for one, _ in findings),
        "workers": workers,
        "machines": machines,
        "missing_words": missing_words,
        "size_words": size_words,
        "worker_words": worker_words,
        "has_notices": "admin.notices" in current_app.view_functions,
        "mark": blake2s(repr((read, seen, there_now)).encode(), digest_size=6).hexdigest(),
    }
