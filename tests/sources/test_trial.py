"""One number tried: in a time that a person can wait for, and the same after a round trip through JSON."""

import json
import time
from pathlib import Path

import pytest
from flask import Flask
from flask_babel import force_locale

from portal.sources import catalogue
from portal.sources.base import Outcome
from portal.sources.trial import ShownExchange, Trial, from_dict, to_dict, try_number
from portal.sources.words import sample_words
from tests.support.misbehaving import always, misbehaving
from tests.support.recipes import LOOPBACK, SECRETS, recipe


@pytest.mark.parametrize("kind", ["json", "poll"])
def test_a_try_ends_in_time(kind: str, tmp_path: Path) -> None:
    with misbehaving() as server:
        server.plan = always("hang")
        catalogue.configure(None, tmp_path / "none", SECRETS, LOOPBACK)
        begun = time.monotonic()
        trial = try_number(recipe(tmp_path, kind, server.url, timeout=60), "+34612345678", seconds=0.3)
    assert time.monotonic() - begun < 5
    assert trial.late and trial.answer is not None and trial.answer.outcome == Outcome.FAILED


@pytest.mark.parametrize(
    ("status", "content_type", "body", "why"),
    [
        (302, "application/json", b"{}", "leads to another address (status 302)"),
        (404, "text/html", b"<h1>Not Found</h1>", "nothing at this address"),
        (418, "text/plain", b"teapot", "status 418"),
        (204, "application/json", b"", "is empty"),
        (200, "text/html", b"<p>Hello</p>", "is not JSON"),
        (200, "application/json; charset=utf-8", b'{"x": "\xf3"}', "charset"),
        (200, "application/json", b'{"status": "ok", "data": {}}', "required field operator"),
        (200, "application/json", b'{"status": "new"}', "none of the recipe’s success rules"),
    ],
)
def test_a_try_says_why_the_answer_is_of_no_use(
    app: Flask, tmp_path: Path, status: int, content_type: str, body: bytes, why: str
) -> None:
    catalogue.configure(None, tmp_path / "none", SECRETS, LOOPBACK)
    with misbehaving() as server, force_locale("en"):
        server.raw[""] = (status, content_type, body)
        trial = from_dict(to_dict(try_number(recipe(tmp_path, "json", server.url), "+34612345678")))
        assert trial.answer and trial.answer.outcome == Outcome.FAILED
        assert why in sample_words(trial.why)


def test_it_survives_json() -> None:
    exchange = ShownExchange("GET", "http://x", (("A", "b"),), "", 200, (("C", "d"),), "body", 0.25)
    for trial in (Trial("+34612345678", [exchange], None, "credentials", True), Trial("+34612345678")):
        again = from_dict(json.loads(json.dumps(to_dict(trial))))
        assert json.dumps(to_dict(again)) == json.dumps(to_dict(trial))
        assert (again.reason, again.late, len(again.exchanges)) == (trial.reason, trial.late, len(trial.exchanges))
