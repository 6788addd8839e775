"""Health checks for operators: is the process alive, and is the portal ready."""

from flask import Blueprint, Response, jsonify, make_response, render_template, request

from portal.clock import utcnow
from portal.jobs.health.checks import parts_missing
from portal.web.outage_banner import lookups_stopped

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """This process answers. No database, no Redis."""
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """503 with the names of what is missing. `sweep` is missing when none has ended for three intervals; `storage`,
    `key` and `recipes` when this machine cannot reach the stored files, or lacks what the other machines have."""
    missing = parts_missing(utcnow())
    return jsonify(ready=not missing, missing=missing), 503 if missing else 200


@blueprint.get("/standstill")
def outage_banner() -> Response:
    """The outage banner when it changed; 204 while the page is up to date.

    It is on this blueprint, which loads no user, because every open page polls it: polling must not keep an unused
    session alive. It reveals no more to strangers than /readyz does.
    """
    if request.args.get("v") == str(int(lookups_stopped())):
        return make_response("", 204)
    return make_response(render_template("_outage_banner.html"))
