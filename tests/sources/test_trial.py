"""One number tried: in a time that a person can wait for, and the same after a round trip through JSON."""

import json
import time
from pathlib import Path

import pytest

from portal.sources import catalogue
from portal.sources.base import Outcome
from portal.sources.trial import ShownExchange, Trial, from_dict, to_dict, try_number
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


def test_it_survives_json() -> None:
    exchange = ShownExchange("GET", "http://x", (("A", "b"),), "", 200, (("C", "d"),), "body", 0.25)
    for trial in (Trial("+34612345678", [exchange], None, "credentials", True), Trial("+34612345678")):
        again = from_dict(json.loads(json.dumps(to_dict(trial))))
        assert json.dumps(to_dict(again)) == json.dumps(to_dict(trial))
        assert (again.reason, again.late, len(again.exchanges)) == (trial.reason, trial.late, len(trial.exchanges))
