"""The pages of bulk operations: the recent ones, and one with its progress and report."""

from flask import Response, abort, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user

from portal.clock import utcnow
from portal.jobs.admin import operations
from portal.jobs.core.bulk_tables import UNDER_WAY, Operation
from portal.web.access import admin_required
from portal.web.admin.blueprint import blueprint
from portal.web.request_fields import whole


@blueprint.get("/admin/operations", endpoint="operations")
@admin_required
def index() -> str:
    """Show the recent operations, newest first."""
    rows, following = operations.recent(request.args.get("before", type=whole))
    moving = any(one.state in UNDER_WAY for one in rows)
    return render_template("admin/operations.html", operations=rows, next_before=following, moving=moving)


@blueprint.get("/admin/operations/<id:operation_id>", endpoint="operation")
@admin_required
def show(operation_id: int) -> str:
    """Show one operation."""
    return render_template("admin/operation.html", **_facts(_found(operation_id)))


@blueprint.get("/admin/operations/<id:operation_id>/live", endpoint="operation_live")
@admin_required
def live(operation_id: int) -> str | Response:
    """Send the part of its page that changes, or 204 while it has not changed."""
    operation = _found(operation_id)
    if request.args.get("v") == operations.version(operation):
        return make_response("", 204)
    return render_template("admin/_operation_live.html", **_facts(operation))


@blueprint.post("/admin/operations/<id:operation_id>/stop", endpoint="stop_operation")
@admin_required
def stop(operation_id: int) -> Response:
    """Stop it before the next job."""
    _found(operation_id)
    if operations.stop(operation_id, current_user.email, utcnow()):
        flash(gettext("The operation is stopping. No more files will change; what is already done stays done."), "ok")
    else:
        flash(gettext("The operation had already finished."), "info")
    return make_response(redirect(url_for("admin.operation", operation_id=operation_id), 303))


def _found(operation_id: int) -> Operation:
    return operations.find(current_user, operation_id) or abort(404)


def _facts(operation: Operation) -> dict[str, object]:
    return {
        "operation": operation,
        "moving": operation.state in UNDER_WAY,
        "version": operations.version(operation),
        "reasons": sorted(operation.skipped_why.items(), key=lambda one: (-one[1], one[0])),
        "skipped_jobs": operations.skipped_jobs(operation),
        "address": (operation.selection or {}).get("address", {}),
        "left": max(0, operation.chosen - operation.done - operation.skipped),
        "now": utcnow(),
    }
