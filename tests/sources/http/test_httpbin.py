"""HttpSource against a server that we did not write: httpbin from PyPI, started in its own process.

It needs an older greenlet than our own tools, so it cannot be in their environment: `make test` installs it into
`.venv-httpbin`, from `requirements-httpbin.txt`.
"""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.config import ROOT
from portal.sources.base import Answer, Outcome, SourceStopped
from portal.sources.http.source import HttpSource
from portal.sources.recipes.loader import read_recipe
from tests.support.processes import dies_with_us, missing, stop
from tests.support.recipes import LOOPBACK

NUMBER = "+34612345678"
PYTHON = ROOT / ".venv-httpbin" / "bin" / "python"
PROGRAM = """
from werkzeug.serving import make_server
import httpbin
server = make_server("127.0.0.1", 0, httpbin.app, threaded=True)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def httpbin() -> Iterator[str]:
    """The address of a running httpbin."""
    if not PYTHON.exists():
        missing("httpbin")
    process = subprocess.Popen(
        [PYTHON, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=dies_with_us(signal.SIGKILL),
    )
    with process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().decode().strip()
            assert port, "httpbin did not start"
            yield f"http://127.0.0.1:{port}"
        finally:
            stop(process)


def lookup(folder: Path, url: str, more: str, *, kind: str = "json", request: str = "") -> Answer:
    path = folder / "httpbin.toml"
    path.write_text(f'name = "httpbin"\nkind = "{kind}"\n[request]\nurl = "{url}"\n{request}\n{more}\n')
    return HttpSource(read_recipe(path), {"KEY": "a b+c/d"}, allow_private=LOOPBACK).lookup(NUMBER)


ANYTHING = "/anything/{e164}?n={national}"


def test_what_is_sent_arrives_as_it_was_meant(httpbin: str, tmp_path: Path) -> None:
    answer = lookup(
        tmp_path, httpbin + ANYTHING,
        '[fields]\nnational = "args.n"\nurl = "url"\nkey = "headers.\\"X-Key\\""\nbody = "json.n"\nkind = "method"',
        request='method = "POST"\nheaders = { X-Key = "{secret:KEY}" }\nbody = \'{"n": "{e164}"}\'',
    )  # fmt: skip
    assert answer.outcome == Outcome.FOUND
    assert answer.fields["national"] == "612345678" and answer.fields["body"] == NUMBER
    assert answer.fields["key"] == "a b+c/d" and answer.fields["kind"] == "POST"
    assert "/anything/+34612345678?n=612345678" in answer.fields["url"].replace("%2B", "+")


def test_json_is_read(httpbin: str, tmp_path: Path) -> None:
    answer = lookup(
        tmp_path, httpbin + "/json?n={e164}",
        '[fields]\nauthor = "slideshow.author"\ntitles = "slideshow.slides[].title"',
    )  # fmt: skip
    assert answer.fields == {"author": "Yours Truly", "titles": "Wake up to WonderWidgets!, Overview"}


def test_a_page_is_read(httpbin: str, tmp_path: Path) -> None:
    answer = lookup(
        tmp_path, httpbin + "/html?n={e164}", '[fields]\nhead = { css = "h1", required = true }', kind="html"
    )
    assert answer == Answer(Outcome.FOUND, {"head": "Herman Melville - Moby-Dick"})


def test_robots_txt_is_obeyed(httpbin: str, tmp_path: Path) -> None:
    with pytest.raises(SourceStopped, match="robots_refuse"):
        lookup(tmp_path, httpbin + "/deny?n={e164}", '[fields]\nhead = "h1"', kind="html")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (404, Answer(Outcome.NOT_FOUND)),
        (410, Answer(Outcome.NOT_FOUND)),
        (422, Answer(Outcome.REJECTED, reason="rejected")),
        (429, Answer(Outcome.FAILED, reason="rate_limited")),
        (500, Answer(Outcome.FAILED, reason="temporary")),
        (503, Answer(Outcome.FAILED, reason="temporary")),
        (302, Answer(Outcome.FAILED, reason="source_error")),
        # Whether the source refuses us or this number, the next number tells.
        (401, Answer(Outcome.FAILED, reason="credentials")),
        (402, Answer(Outcome.FAILED, reason="no_credit")),
        (403, Answer(Outcome.FAILED, reason="blocked")),
    ],
)
def test_a_status_is_what_it_says(httpbin: str, tmp_path: Path, status: int, expected: Answer) -> None:
    assert lookup(tmp_path, f"{httpbin}/status/{status}?n={{e164}}", '[fields]\nx = "y"') == expected


@pytest.mark.parametrize(("timeout", "outcome"), [(0.3, Outcome.FAILED), (5, Outcome.FOUND)])
def test_it_waits_as_long_as_the_recipe_says(httpbin: str, tmp_path: Path, timeout: float, outcome: Outcome) -> None:
    answer = lookup(tmp_path, httpbin + "/delay/1?n={e164}", '[fields]\nn = "args.n"', request=f"timeout = {timeout}")
    assert answer.outcome == outcome


def test_it_times_out_a_slow_body_and_unpacks_a_compressed_one(httpbin: str, tmp_path: Path) -> None:
    drip = httpbin + "/drip?duration=4&numbytes=20&delay=0&n={e164}"
    assert lookup(tmp_path, drip, '[fields]\nx = "y"', request="timeout = 0.5").reason == "temporary"
    for packed in ("gzip", "deflate"):
        answer = lookup(tmp_path, f"{httpbin}/{packed}?n={{e164}}", '[fields]\nkind = "method"')
        assert answer.fields == {"kind": "GET"}


def test_a_redirect_is_followed_where_allowed(httpbin: str, tmp_path: Path) -> None:
    url = httpbin + "/redirect-to?url=/get%3Fa={digits}"
    assert lookup(tmp_path, url, '[fields]\nx = "args.a"').outcome == Outcome.FAILED
    assert lookup(tmp_path, url, '[fields]\nx = "args.a"', request="redirects = 1").fields == {"x": "34612345678"}
