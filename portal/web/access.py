"""Who sends the request and what they may reach: loads the signed-in person, sends everyone else to the login page, and
has the small checks that every view needs. Knows nothing of documents and jobs.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, abort, current_app, make_response, redirect, request, url_for
from flask_login import current_user, login_required

from portal.accounts import User, Visitor, session_user
from portal.clock import utcnow
from portal.database import begin_reading, only_read
from portal.extensions import login

__all__ = [
    "begin_reading",
    "DEVICE_COOKIE",
    "admin_required",
    "cookie_name",
    "keep_cookie",
    "login_required",
    "only_read",
    "safe_next",
    "set_up",
    "visitor",
    "wants_fragment",
]

View = TypeVar("View", bound=Callable[..., Any])
READ_FIRST = (
    "documents.start",
    "several.start",
    "columns.change",
    "admin.add_exclusions",
    "files.download",
    "earlier_list.compare",
    "earlier_list.remove",
)  # read a whole file before they write, in transactions of their own
YEAR_SECONDS = 365 * 24 * 3600
DEVICE_COOKIE = "device"
LONGEST_NEXT = 2000  # characters; a proxy refuses longer addresses
STRANGERS_BYTES = 1024 * 1024
STRANGERS_SECONDS = 5.0
OPEN_BLUEPRINTS = ("health",)  # must answer operators even when the database is down


def set_up(app: Flask) -> None:
    """Load the person before each request, and make GET requests read-only."""
    login.session_protection = None  # the sessions table decides, not a browser fingerprint
    login.user_loader(_load)
    login.unauthorized_handler(unauthorized)
    app.before_request_funcs.setdefault(None, []).insert(0, _bound_strangers)  # before the CSRF check, which reads
    app.before_request(_before_request)


def _bound_strangers() -> None:
    """Take little from who is not signed in, before anything reads the form: one megabyte, within five seconds."""
    if request.method in ("GET", "HEAD", "OPTIONS") or request.blueprint in OPEN_BLUEPRINTS:
        return
    if not current_user.is_authenticated:
        request.max_content_length = min(STRANGERS_BYTES, request.max_content_length or STRANGERS_BYTES)
        if clock := request.environ.get("portal.read_clock"):
            clock.limit(STRANGERS_SECONDS)


def _load(token: str) -> User | None:
    return session_user(token, utcnow())


def _before_request() -> None:
    """Load the person before the view begins a transaction, and do not let a page that only reads take the write lock.

    The person is loaded on a short connection of its own: on SQLite the transaction of a POST holds the write lock
    from its first statement, and a slow view would block everybody else.
    """
    if request.endpoint in (None, "static") or request.blueprint in OPEN_BLUEPRINTS:
        return
    if current_user.is_authenticated:
        structlog.contextvars.bind_contextvars(user_id=current_user.id)
    if request.method in ("GET", "HEAD"):
        only_read()
    elif request.endpoint in READ_FIRST:
        begin_reading()


def unauthorized() -> Response:
    """Redirect to the login page, and back here after signing in. htmx gets a header instead: a plain redirect would
    put the login page into the middle of the current page."""
    if request.headers.get("HX-Request") == "true":
        answer = make_response("", 401)
        answer.headers["HX-Redirect"] = url_for("auth.login", next=_path_of(request.headers.get("HX-Current-URL")))
        return answer
    here = request.full_path.rstrip("?") if request.method in ("GET", "HEAD") else _path_of(request.referrer)
    return make_response(redirect(url_for("auth.login", next=safe_next(here))))


def _path_of(address: str | None) -> str:
    """The path and query of a full URL, as a path on this site."""
    try:
        parts = urlsplit(address or "")
    except ValueError:
        return "/"
    return safe_next(f"{parts.path}?{parts.query}" if parts.query else parts.path)


def safe_next(text: str | None) -> str:
    """The text as a path on this site, or the home page if it could lead elsewhere.

    Browsers drop tabs and line breaks from a URL and read a backslash as a slash, so it may contain none of them.
    """
    if not text or len(text) > LONGEST_NEXT or not text.startswith("/") or text.startswith("//"):
        return "/"
    if "\\" in text or not text.isprintable() or any(letter.isspace() for letter in text):
        return "/"
    return text


def visitor() -> Visitor:
    """Who sends this request, as far as it shows it."""
    cookie = request.cookies.get(cookie_name(DEVICE_COOKIE), "")
    return Visitor(request.remote_addr or "", request.user_agent.string, cookie)


def cookie_name(name: str) -> str:
    """The name of a cookie of ours: over https with the prefix by which browsers take it from this host alone."""
    return f"__Host-{name}" if current_app.config["SESSION_COOKIE_SECURE"] else name


def keep_cookie(answer: Response, name: str, value: str) -> None:
    """Keep a cookie for a year in this browser, out of reach of scripts."""
    secure = current_app.config["SESSION_COOKIE_SECURE"]
    answer.set_cookie(cookie_name(name), value, max_age=YEAR_SECONDS, samesite="Lax", httponly=True, secure=secure)


def wants_fragment() -> bool:
    """Whether htmx requests a fragment. Going back in history and a full visit get the whole page."""
    headers = request.headers
    return (
        headers.get("HX-Request") == "true"
        and headers.get("HX-History-Restore-Request") != "true"
        and headers.get("HX-Request-Type") != "full"
    )


def admin_required(view: View) -> View:
    """Let only admins see the view; for everyone else who is signed in it is a 404."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if not current_user.is_authenticated:
            return unauthorized()
        if not current_user.is_admin:
            abort(404)
        return view(*args, **kwargs)

    return guarded  # type: ignore[return-value]
