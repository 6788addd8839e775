"""What goes over the wire is compressed by the application itself, but not for another site."""

import gzip
import re
from pathlib import Path

import brotli
import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from pygments.lexers import get_lexer_for_filename
from pygments.token import Comment, Whitespace
from werkzeug.test import TestResponse

from portal.config import ROOT
from portal.web.compression import FOR_THE_READER
from tests.support import cast, scenes

BROWSER = {"Accept-Encoding": "gzip, deflate, br, zstd", "Sec-Fetch-Site": "same-origin"}
FIRST_LOAD_BYTES = 40_000
OUR_FILES = sorted(file for kind in ("*.css", "*.js") for file in (ROOT / "static").glob(kind))


def wire_bytes(answer: TestResponse) -> int:
    return len(answer.data) + len(str(answer.headers))


@pytest.mark.parametrize("files", [0, 20])
@pytest.mark.parametrize("who", ["nobody", "alice", "ada"])
def test_the_first_load_with_all_its_files_is_small(
    request: pytest.FixtureRequest, app: Flask, who: str, files: int
) -> None:
    client: FlaskClient = request.getfixturevalue("client" if who == "nobody" else f"as_{who}")
    path = "/login" if who == "nobody" else "/"
    for _ in range(0 if who == "nobody" else files):
        scenes.completed(cast.make_job(app, request.getfixturevalue(who), 4))
    with client.get(path, headers=BROWSER) as page:
        total = wire_bytes(page)
        html = brotli.decompress(page.data).decode()
    files = re.findall(r'<(?:link|script)[^>]+(?:href|src)="(/static/[^"]+)"', html)
    assert len(files) >= 5
    for file in files:
        with client.get(file, headers=BROWSER) as answer:
            total += wire_bytes(answer)
    assert total <= FIRST_LOAD_BYTES, total


@pytest.mark.parametrize("path", ["/", "/account", "/static/vendor/htmx-4.0.1/htmx.min.js"])
def test_a_browser_gets_the_same_in_fewer_bytes(as_alice: FlaskClient, path: str) -> None:
    ways = {"br": brotli.decompress, "gzip": gzip.decompress}
    with as_alice.get(path) as answer:
        plain = re.sub(rb'[\w.-]{60,}|"v": "\w+"', b"", answer.data)  # without the tokens, which are new each time
    for accepted, algorithm in (("gzip, deflate, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip;q=0.5", "gzip")):
        with as_alice.get(path, headers={**BROWSER, "Accept-Encoding": accepted}) as answer:
            assert answer.headers["Content-Encoding"] == algorithm
            assert answer.headers["Content-Length"] == str(len(answer.data))
            assert "Accept-Encoding" in answer.headers["Vary"]
            assert re.sub(rb'[\w.-]{60,}|"v": "\w+"', b"", ways[algorithm](answer.data)) == plain
    for nothing in ("", "identity", "deflate", "br;q=0"):
        with as_alice.get(path, headers={**BROWSER, "Accept-Encoding": nothing}) as answer:
            assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize("file", OUR_FILES, ids=[file.name for file in OUR_FILES])
def test_our_styles_and_scripts_lose_their_comments_and_nothing_else(client: FlaskClient, file: Path) -> None:
    def meant(text: str) -> list[tuple[object, str]]:
        """What a browser reads: all words of it but comments and blanks."""
        words = get_lexer_for_filename(file.name).get_tokens(text)
        shown = [(kind, word.strip()) for kind, word in words if kind not in Comment and kind not in Whitespace]
        return [(kind, word) for kind, word in shown if word]

    plain = file.read_text()
    with client.get(f"/static/{file.name}", headers=BROWSER) as answer:
        sent = brotli.decompress(answer.data).decode()
    assert meant(sent) == meant(plain)
    assert not FOR_THE_READER.search(sent)
    assert sent.count("\n") < plain.count("\n")


def test_a_static_file_that_the_browser_has_is_not_sent_again(client: FlaskClient) -> None:
    with client.get("/static/portal.css", headers=BROWSER) as first:
        etag = first.headers["ETag"]
    with client.get("/static/portal.css", headers={**BROWSER, "If-None-Match": etag}) as again:
        assert (again.status_code, again.data) == (304, b"")
    with client.get("/static/portal.css", headers={"If-None-Match": etag}) as plain:
        assert plain.status_code == 200, "it has the compressed one only"
    with client.get("/static/portal.css", headers={**BROWSER, "Range": "bytes=0-9"}) as part:
        assert (part.status_code, part.data, "Content-Encoding" in part.headers) == (206, part.data[:10], False)


@pytest.mark.parametrize(
    ("site", "address", "compressed"),
    [
        ("same-origin", "https://localhost", True),
        ("none", "https://localhost", True),  # typed, or from a bookmark
        ("cross-site", "https://localhost", False),
        ("same-site", "https://localhost", False),  # another name of the same domain
        (None, "https://localhost", False),  # an old browser does not say who asks
        (None, "http://localhost", True),  # there everybody can read it all
    ],
)
def test_another_site_cannot_measure_what_is_on_a_page(
    as_alice: FlaskClient, site: str | None, address: str, compressed: bool
) -> None:
    headers = {"Accept-Encoding": "br"} | ({"Sec-Fetch-Site": site} if site else {})
    answer = as_alice.get("/?q=a-guess", headers=headers, base_url=address, follow_redirects=True)
    assert ("Content-Encoding" in answer.headers) == compressed


@pytest.mark.parametrize("kind", ["text/event-stream", "text/html"])
def test_a_stream_passes_as_it_is(app: Flask, kind: str) -> None:
    with app.test_request_context("/events", headers=BROWSER):
        answer = app.process_response(Response(iter(["one", "two"]), mimetype=kind))
        assert (answer.is_streamed, "Content-Encoding" in answer.headers) == (True, False)
        assert next(answer.iter_encoded()) == b"one", "it waits in no buffer"


def test_a_workbook_is_not_compressed_again(as_alice: FlaskClient) -> None:
    answer = as_alice.get("/example.xlsx", headers=BROWSER)
    assert (answer.status_code, "Content-Encoding" in answer.headers) == (200, False)
