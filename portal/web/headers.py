"""Headers of every response: what a browser may do with our pages and how long it may cache them. Also refuses changes
that do not come from our own pages, whatever their CSRF token says.
"""

import hashlib
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from flask import Flask, Response, abort, current_app, request
from werkzeug.http import dump_options_header

# Nothing is inline, so no nonce is needed. Anything not listed is forbidden.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ALWAYS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # frame-ancestors says it too, but scanners and old browsers look here
    "Referrer-Policy": "same-origin",  # not no-referrer: the CSRF check over https reads it
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
# A browser obeys these alone on what is no page: nine files with all of them would make a first visit a tenth slower.
PARTS = ("text/css", "text/javascript")
OF_A_PART = ("X-Content-Type-Options", "Cross-Origin-Resource-Policy")
# Of a file whose address changes with its content: a browser never asks whether it has changed. A hundred bytes each.
NEVER_ASKED_FOR = ("ETag", "Last-Modified")
# These addresses are secrets: what their pages load or link to learns only the site, also from an error page. Not
# no-referrer, because the CSRF check over https reads it.
SECRET_PATHS = ("/setup/", "/reset/", "/notices/stop/")
YEAR_SECONDS = 365 * 24 * 3600


def attach(answer: Response, name: str) -> None:
    """Let a browser save the answer under this name. A name with accents is given twice, as RFC 6266 says: browsers
    take the one in UTF-8, and the other's letters would be read in whatever encoding the machine has."""
    if name.isascii():
        answer.headers.set("Content-Disposition", "attachment", filename=name)
        return
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    own = {"filename": plain, "filename*": f"UTF-8''{quote(name, safe='')}"}
    answer.headers["Content-Disposition"] = dump_options_header("attachment", own)


def set_up(app: Flask) -> None:
    """Add the headers, the trusted host names and the same-site check to the application."""
    app.config["TRUSTED_HOSTS"] = trusted_hosts(app.config["PUBLIC_URL"], app.config["PORTAL_HOST"])
    app.before_request(_only_from_our_pages)
    app.after_request(_finish)
    app.url_defaults(_version)


def trusted_hosts(public_url: str, bound_to: str) -> list[str]:
    """The host names that a request may use. A link built from any other name could lead people elsewhere."""
    names = {urlsplit(public_url).hostname or "", bound_to, "127.0.0.1", "localhost"}
    return sorted(names - {"", "0.0.0.0", "::"})  # noqa: S104


def _only_from_our_pages() -> None:
    """Refuse a change sent by another site's page. Browsers say where it came from; programs do not, and pass."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in ("same-origin", "none"):
            abort(403)
        return
    origin = request.headers.get("Origin")
    if origin is None:
        return
    ours = {request.host, urlsplit(current_app.config["PUBLIC_URL"]).netloc}
    if urlsplit(origin).netloc not in ours:
        abort(403)


def _finish(answer: Response) -> Response:
    if request.path.startswith(SECRET_PATHS):
        answer.headers["Referrer-Policy"] = "strict-origin"
    for name, value in ALWAYS.items():
        if name in OF_A_PART or answer.mimetype not in PARTS:
            answer.headers.setdefault(name, value)
    if current_app.config["PUBLIC_URL"].startswith("https://"):
        answer.headers.setdefault("Strict-Transport-Security", f"max-age={YEAR_SECONDS}; includeSubDomains")
    if request.endpoint == "static" and answer.status_code in (200, 206, 304):
        if "v" in request.args:
            answer.headers["Cache-Control"] = f"public, max-age={YEAR_SECONDS}, immutable"
            for name in NEVER_ASKED_FOR:
                answer.headers.pop(name, None)
        return answer
    # A page and its fragment share a URL, and depend on person and language.
    answer.vary.update(("HX-Request", "HX-Request-Type", "HX-History-Restore-Request", "Cookie", "Accept-Language"))
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _version(endpoint: str, values: dict[str, Any]) -> None:
    """Put a content hash into the URLs of static files, so that they can be cached for a year and still be replaced."""
    if endpoint == "static" and "v" not in values:
        path = Path(current_app.static_folder or "", values.get("filename", ""))
        if path.is_file():
            values["v"] = _fingerprint(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _fingerprint(path: Path, changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
