"""Health checks for operators: is the process alive, and is the portal ready."""

import shutil
from datetime import timedelta

from flask import Blueprint, Response, current_app, jsonify, make_response, render_template, request
from redis import Redis
from sqlalchemy import text

from portal.clock import utcnow
from portal.database import db
from portal.jobs import queries
from portal.web.outage_banner import lookups_stopped

blueprint = Blueprint("health", __name__)
LOW_DISK_BYTES = 200 * 1024 * 1024


@blueprint.get("/healthz")
def healthz() -> Response:
    """This process answers. No database, no Redis."""
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """503 with the names of what is missing. `sweep` is missing when none has ended for three intervals."""
    checks = {"database": _database(), "redis": _redis(), "disk": _disk(), "sweep": _sweep()}
    missing = [name for name, well in checks.items() if not well]
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


def _database() -> bool:
    try:
        db.session.execute(text("SELECT 1 FROM scraping_jobs LIMIT 1")).all()
    except Exception:
        return False
    return True


def _redis() -> bool:
    try:
        return bool(Redis.from_url(current_app.config["REDIS_URL"], socket_timeout=1, socket_connect_timeout=1).ping())
    except Exception:
        return False


def _sweep() -> bool:
    try:
        interval = timedelta(minutes=current_app.config["SCRAPING_CHECK_INTERVAL"])
        return not queries.last_sweep(utcnow(), interval).late
    except Exception:
        return False


def _disk() -> bool:
    return shutil.disk_usage(current_app.config["PORTAL_DATA_DIR"]).free > LOW_DISK_BYTES
