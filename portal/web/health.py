"""For operators: is the process alive, and is the portal ready to serve."""

from flask import Blueprint, Response, jsonify, make_response, render_template, request

from portal.clock import utcnow
from portal.jobs.health.checks import VITAL, HealthState, finding
from portal.web.outage_banner import is_still

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """This process answers. No database, no Redis."""
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """503 with the names of what is missing. `sweep`: none has ended for three intervals."""
    now = utcnow()
    missing = [part for part in VITAL if finding(part, now).state == HealthState.BAD]
    return jsonify(ready=not missing, missing=missing), 503 if missing else 200


@blueprint.get("/standstill")
def standstill() -> Response:
    """The banner of every page, when it is another than the page shows; else 204.

    It stands here, where nobody is loaded, because every open page asks: that must not keep a session alive that
    nobody uses. It tells a stranger no more than /readyz does.
    """
    if request.args.get("v") == str(int(is_still())):
        return make_response("", 204)
    return make_response(render_template("_standstill.html"))
