"""Error pages: what happened and what to do, in plain words, with a reference to find the request in the log. They show
no internals: no exception names, no paths.
"""

import secrets
from typing import Any

import structlog
from flask import (
    Flask,
    Response,
    current_app,
    g,
    has_request_context,
    make_response,
    render_template,
    request,
    request_started,
)
from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString
from flask_login import AnonymousUserMixin, current_user
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import (
    HTTPException,
    InternalServerError,
    RequestEntityTooLarge,
    SecurityError,
    ServiceUnavailable,
)

from portal.database_errors import DatabaseError, is_away, is_lost_commit
from portal.documents.storage import StorageAway
from portal.web.access import STRANGERS_BYTES

log = structlog.get_logger(__name__)

# status → what happened, what to do
WORDS: dict[int, tuple[LazyString, LazyString]] = {
    400: (
        lazy_gettext("We could not do that"),
        lazy_gettext("Go back, reload the page and try again. Nothing was changed."),
    ),
    403: (
        lazy_gettext("This cannot be done from another website"),
        lazy_gettext("Open the portal and do it there. Nothing was changed."),
    ),
    404: (
        lazy_gettext("This page does not exist"),
        lazy_gettext(
            "It may have been deleted, or it may belong to someone else. Your own files are on the home page."
        ),
    ),
    405: (
        lazy_gettext("This link does not work on its own"),
        lazy_gettext("Go to the home page and use the button there. Nothing was changed."),
    ),
    413: (
        lazy_gettext("That file is too large"),
        lazy_gettext(
            "A file can be up to %(megabytes)s MB. Split it into several files, or delete what you do not need."
        ),
    ),
    429: (
        lazy_gettext("Too many attempts"),
        lazy_gettext("Wait a moment and try again."),
    ),
    500: (
        lazy_gettext("Something went wrong on our side"),
        lazy_gettext("Your files are safe. Try again in a minute. If it keeps happening, contact your administrator."),
    ),
    503: (
        lazy_gettext("The portal is busy right now"),
        lazy_gettext("Your files are safe. Wait a few seconds, then do the same again."),
    ),
}
BUSY_RETRY_SECONDS = 5
FORM_TOO_OLD = (
    lazy_gettext("This form has expired"),
    lazy_gettext("You may have signed in or out since you opened it. Reload the page and send it again."),
)
STORAGE_AWAY = (
    lazy_gettext("The files cannot be reached right now"),
    lazy_gettext("Nothing is lost, and files in progress continue. Try again in a few minutes."),
)
UNCONFIRMED = (
    lazy_gettext("We do not know whether that was done"),
    lazy_gettext(
        "The connection to the database was lost at that moment. Wait a few seconds, reload the page and look. "
        "If it was not done, do it again: nothing is started or paid for twice."
    ),
)


class Unconfirmed(ServiceUnavailable):
    """The database may have made the change, and could not confirm it."""


class FilesAway(ServiceUnavailable):
    """The storage of the files does not answer."""


def set_up(app: Flask) -> None:
    """Register the error pages, and give every request a reference."""
    request_started.connect(_assign_reference, app)
    app.register_error_handler(HTTPException, answer_error)
    app.register_error_handler(DatabaseError, _answer_database_error)
    app.register_error_handler(StorageAway, _answer_storage_away)
    app.register_error_handler(SecurityError, _unknown_host)


def _assign_reference(app: Flask, **_: Any) -> None:
    """Give the request its reference before anything can fail; every log line has it."""
    g.reference = secrets.token_hex(4)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.reference)


def reference() -> str:
    """The reference of this request in the log."""
    return g.get("reference", "") if has_request_context() else ""


def answer_error(error: HTTPException) -> Response:
    """The page for this error; for htmx, a toast that leaves the page as it is."""
    status = error.code or 500
    title, advice = WORDS.get(status) or WORDS[400 if status < 500 else 500]
    if isinstance(error, CSRFError):
        title, advice = FORM_TOO_OLD
    if isinstance(error, Unconfirmed):
        title, advice = UNCONFIRMED
    if isinstance(error, FilesAway):
        title, advice = STORAGE_AWAY
    if isinstance(error, InternalServerError | ServiceUnavailable):
        _read_nothing()  # the database may be away, and the page's head would ask it
    else:
        log.info("refused", status=status, method=request.method, path=request.path)
    if isinstance(error, RequestEntityTooLarge):
        drain_request()
    facts = {"megabytes": current_app.config["MAX_UPLOAD_MB"]}
    as_toast = request.headers.get("HX-Request") == "true"
    template = "errors/_toast.html" if as_toast else "errors/error.html"
    text = render_template(template, status=status, title=title, advice=str(advice) % facts, reference=reference())
    answer = make_response(text, status)
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after"):
            answer.headers[name] = value
    return answer


def refuse(title: str, advice: str) -> Response:
    """The page for an address that asks for what there is not, in the words of whoever knows why."""
    log.info("refused", status=400, method=request.method, path=request.path)
    page = render_template("errors/error.html", status=400, title=title, advice=advice, reference=reference())
    return make_response(page, 400)


def _answer_database_error(error: DatabaseError) -> Response:
    """The page that says so when the database is away or locked by somebody else; any other error is a crash.

    What the request has changed is undone at its end, so that the same button can be pressed again.
    """
    if not is_away(error):
        raise error
    log.warning("the database is away", method=request.method, path=request.path, error=str(error))
    kind = Unconfirmed if is_lost_commit(error) and request.method not in ("GET", "HEAD") else ServiceUnavailable
    return answer_error(kind(retry_after=BUSY_RETRY_SECONDS))


def _answer_storage_away(error: StorageAway) -> Response:
    """The page that says so when the bucket with the files is away. Nothing was changed by then: a file is fetched
    before anything else is done with it."""
    log.warning("the storage is away", method=request.method, path=request.path)
    return answer_error(FilesAway(retry_after=BUSY_RETRY_SECONDS))


def _unknown_host(error: SecurityError) -> Response:
    """The Host header is not ours. No page can be built, because its links would use that host name."""
    log.warning("host name is not that of PUBLIC_URL", path=request.path)
    text = "This portal is not available under this host name. The operator sets it with PUBLIC_URL.\n"
    answer = make_response(text, 400)
    answer.mimetype = "text/plain"
    return answer


def _read_nothing() -> None:
    g.reads_nothing = True
    if not hasattr(g, "_login_user"):
        g._login_user = AnonymousUserMixin()


def drain_request() -> None:
    """Read the rest of the request body: if the server closes the connection while the browser is still sending, the
    person sees a broken connection instead of our page. Up to 512 MB, or what strangers may send, as fast as the
    server's clock wants it; nothing if the browser waits for our word before it sends."""
    clock = request.environ.get("portal.read_clock")
    if clock is not None and clock.continue_due:
        return
    most = 512 * 1024 * 1024 if current_user.is_authenticated else STRANGERS_BYTES
    stream, left = request.environ["wsgi.input"], min(request.content_length or 0, most)
    while left > 0:
        try:
            part = stream.read(min(left, 64 * 1024))
        except OSError:
            return
        if not part:
            return
        left -= len(part)
