"""Compresses pages and static files, by what the browser accepts, also where no proxy in front does it. Streams and
downloads pass as they are: a stream must not wait in a buffer, and a workbook is compressed already.

A page that another site asked for is not compressed. Its length would tell that site, guess by guess, what is on the
page (BREACH): a telephone number, or the CSRF token, next to a text that the other site put into the address. The
browser says who asks; programs and old browsers say nothing, and get their pages compressed where the line is not
encrypted and there is nothing to learn from a length.
"""

import gzip
import re
from functools import lru_cache
from pathlib import Path

import brotli  # type: ignore[import-untyped]
from flask import Flask, Response, current_app, request
from flask_compress import Compress

TEXTS = ("text/html", "text/css", "text/javascript", "text/plain", "application/json", "image/svg+xml")
ALGORITHMS = ("br", "gzip")
MIN_BYTES = 500  # shorter ones fit into the packet that the headers need
NOT_ANOTHER_SITE = ("same-origin", "none")  # the values of Sec-Fetch-Site that no other site can cause

# What is there for the reader of our styles and scripts only: comments that fill lines, and indentation. It would be a
# fifth of their weight. A comment behind code stays, since a text can look like one.
OURS = (".css", ".js")
FOR_THE_READER = re.compile(r"^\s*/\*(?s:.*?)\*/[ \t]*$\n?|^[ \t]*//.*\n|^[ \t]+", re.M)

_pages = Compress()


def set_up(app: Flask) -> None:
    """Compress what the application answers."""
    app.config.update(
        COMPRESS_ALGORITHM=list(ALGORITHMS),
        COMPRESS_MIMETYPES=list(TEXTS),
        COMPRESS_MIN_SIZE=MIN_BYTES,
        COMPRESS_BR_LEVEL=5,  # as small as gzip's best within a millisecond for a page
        COMPRESS_STREAMS=False,
        COMPRESS_REGISTER=False,
    )
    _pages.init_app(app)
    app.after_request(_compress)


def _compress(answer: Response) -> Response:
    if request.endpoint == "static":
        return _compress_static(answer)
    if answer.mimetype not in TEXTS or answer.is_streamed or _another_site_may_ask():
        return answer
    if request.accept_encodings.best_match(ALGORITHMS) is None:  # the library would take "br;q=0" for a yes
        return answer
    return _pages.after_request(answer)


def _another_site_may_ask() -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    return request.is_secure if site is None else site not in NOT_ANOTHER_SITE


def _compress_static(answer: Response) -> Response:
    """Static files are the same for everybody, so each is compressed once, as small as it gets."""
    answer.vary.add("Accept-Encoding")
    algorithm = request.accept_encodings.best_match(ALGORITHMS)
    if algorithm is None or answer.status_code != 200 or answer.mimetype not in TEXTS:
        return answer
    path = Path(current_app.static_folder or "", (request.view_args or {})["filename"])
    packed = _packed(path, path.stat().st_mtime_ns, algorithm)
    if packed is None:
        return answer
    answer.close()  # the file, which is not read
    answer.direct_passthrough = False
    answer.set_data(packed)
    answer.headers["Content-Encoding"] = algorithm
    for name in ("Accept-Ranges", "Content-Disposition"):  # neither is true of it, or says anything
        answer.headers.pop(name, None)
    etag, _is_weak = answer.get_etag()
    answer.set_etag(f"{etag}-{algorithm}")
    answer.make_conditional(request)
    return answer


@lru_cache(maxsize=64)
def _packed(path: Path, changed: int, algorithm: str) -> bytes | None:
    plain = path.read_bytes()
    if len(plain) < MIN_BYTES:
        return None
    if path.suffix in OURS and "vendor" not in path.parts:
        plain = FOR_THE_READER.sub("", plain.decode()).encode()
    packed: bytes = brotli.compress(plain) if algorithm == "br" else gzip.compress(plain, 9)
    return packed
