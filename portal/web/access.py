"""Who is asking, and what they may reach: loading the signed-in person, sending strangers to the login, and the
small questions about a request that every view asks. It knows no document and no job.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, abort, make_response, redirect, request, url_for
from flask_login import current_user, login_required

from portal.accounts import User, session_user
from portal.clock import utcnow
from portal.database import READ_ONLY, db
from portal.extensions import login

__all__ = ["admin_required", "login_required", "safe_next", "set_up", "wants_fragment"]

View = TypeVar("View", bound=Callable[..., Any])
OPEN_BLUEPRINTS = ("health",)  # answers operators even when the database is away


def set_up(app: Flask) -> None:
    """Bind the loading of the person, and the reading mode of GET requests, to the application."""
    login.session_protection = None  # the table of sessions decides, not a fingerprint of the browser
    login.user_loader(_load)
    login.unauthorized_handler(unauthorized)
    app.before_request(_open)


def _load(token: str) -> User | None:
    return session_user(token, utcnow())


def _open() -> None:
    """Load the person before the view begins a transaction, and let a page that only reads take no write lock.

    The person comes from a short connection of its own: on SQLite the transaction of a POST holds the write lock
    from its first statement, and a slow view would keep everybody else waiting.
    """
    if request.endpoint in (None, "static") or request.blueprint in OPEN_BLUEPRINTS:
        return
    if current_user.is_authenticated:
        structlog.contextvars.bind_contextvars(user_id=current_user.id)
    if request.method in ("GET", "HEAD") and db.engine.dialect.name == "sqlite" and not db.session().in_transaction():
        db.session.connection(execution_options=READ_ONLY)


def unauthorized() -> Response:
    """A stranger goes to the login, and comes back to where they were. htmx is told by a header: a plain redirect
    would put the login page into the middle of the page that asked."""
    if request.headers.get("HX-Request") == "true":
        answer = make_response("", 401)
        answer.headers["HX-Redirect"] = url_for("auth.login", next=_path_of(request.headers.get("HX-Current-URL")))
        return answer
    here = request.full_path.rstrip("?") if request.method in ("GET", "HEAD") else _path_of(request.referrer)
    return make_response(redirect(url_for("auth.login", next=safe_next(here))))


def _path_of(address: str | None) -> str:
    """The path and the question of a whole address, as a place on this site."""
    try:
        parts = urlsplit(address or "")
    except ValueError:
        return "/"
    return safe_next(f"{parts.path}?{parts.query}" if parts.query else parts.path)


def safe_next(text: str | None) -> str:
    """The text as a path on this site, or the front page when it could lead anywhere else.

    Browsers drop tabs and line breaks from an address and read a backslash as a slash, so none may stand in it.
    """
    if not text or not text.startswith("/") or text.startswith("//"):
        return "/"
    if "\\" in text or not text.isprintable() or any(letter.isspace() for letter in text):
        return "/"
    return text


def wants_fragment() -> bool:
    """Whether htmx asks for a part of the page. Going back in history, and a whole-page visit, get the whole page."""
    asked = request.headers
    return (
        asked.get("HX-Request") == "true"
        and asked.get("HX-History-Restore-Request") != "true"
        and asked.get("HX-Request-Type") != "full"
    )


def admin_required(view: View) -> View:
    """Only admins see this view; for everybody else who is signed in it does not exist."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if not current_user.is_authenticated:
            return unauthorized()
        if not current_user.is_admin:
            abort(404)
        return view(*args, **kwargs)

    return guarded  # type: ignore[return-value]
