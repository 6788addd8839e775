"""What operators' programs ask: is the process alive, is the portal ready, and how is it in figures.

Programs often ask under a machine's own address, as balancers do, and not under the portal's name: `set_up` lets these
addresses answer under any name. They show no link, and `/metrics` wants its token then.
"""

import hmac
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, abort, current_app, jsonify, make_response, render_template, request
from prometheus_client import CONTENT_TYPE_LATEST

from portal.clock import utcnow
from portal.jobs.health.checks import parts_missing
from portal.jobs.health.prometheus import exposition
from portal.web.outage_banner import lookups_stopped

blueprint = Blueprint("health", __name__)

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]
UNDER_ANY_NAME = ("/healthz", "/readyz")
FORWARDED = ("Forwarded", "X-Forwarded-For")
OWN_NAMES = ("127.0.0.1", "::1", "localhost")


def set_up(app: Flask) -> None:
    """Let the addresses for operators' programs answer under any host name."""
    app.wsgi_app = _under_any_name(app.wsgi_app)  # type: ignore[assignment,method-assign]


def _under_any_name(wsgi_app: WsgiApp) -> WsgiApp:
    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path, reads = environ.get("PATH_INFO"), environ.get("REQUEST_METHOD") in ("GET", "HEAD")
        if reads and (path in UNDER_ANY_NAME or (path == "/metrics" and "HTTP_AUTHORIZATION" in environ)):
            environ["HTTP_HOST"] = "localhost"
        return wsgi_app(environ, start_response)

    return answer


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


@blueprint.get("/metrics")
def metrics() -> Response:
    """The portal in figures, for Prometheus: to programs on this machine, and with `METRICS_TOKEN` to all that send it.
    404 to others."""
    if not (_has_token() or _from_this_machine()):
        abort(404)
    return Response(exposition(utcnow()), content_type=CONTENT_TYPE_LATEST)


def _has_token() -> bool:
    """Whether the request brings the token; a wrong one is no token."""
    token, sent = current_app.config["METRICS_TOKEN"], request.authorization
    if not token or sent is None or sent.type != "bearer":
        return False
    return hmac.compare_digest((sent.token or "").encode(), token.encode())


def _from_this_machine() -> bool:
    """Whether a program on this machine asks, and no proxy on it for somebody else: that says for whom, or at least
    under which name."""
    if urlsplit(f"//{request.host}").hostname not in OWN_NAMES:
        return False
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return False
    inner = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (inner or address).is_loopback and not any(name in request.headers for name in FORWARDED)


@blueprint.get("/standstill")
def outage_banner() -> Response:
    """The outage banner when it changed; 204 while the page is up to date.

    It is on this blueprint, which loads no user, because every open page polls it: polling must not keep an unused
    session alive. It reveals no more to strangers than /readyz does.
    """
    if request.args.get("v") == str(int(lookups_stopped())):
        return make_response("", 204)
    return make_response(render_template("_outage_banner.html"))
