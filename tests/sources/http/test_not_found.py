"""A 404 is "not found" only where the source itself says it: not a server's page, and not a wrong address."""

from pathlib import Path

import pytest

from portal.causes import CauseCode
from portal.database import db
from portal.jobs.attempt import runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.sources.base import Outcome
from portal.sources.http import recipe_doubts
from tests.support.cast import NOW, mobile
from tests.support.misbehaving import misbehaving
from tests.support.recipes import recipe, registered

NGINX = b"<html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1>nginx</body></html>"
JSON_404 = b'{"status": 404, "error": "Not Found", "path": "/v1/lookp"}'


def given() -> Conditions:
    return Conditions(worker="w", lease_seconds=60, backoff=Backoff(), clock=lambda: NOW)


@pytest.mark.parametrize(
    ("kind", "body", "status", "outcome"),
    [
        ("json", NGINX, 404, Outcome.FAILED),
        ("json", b"404 page not found", 410, Outcome.FAILED),
        ("json", JSON_404, 404, Outcome.NOT_FOUND),
        ("json", b"", 404, Outcome.NOT_FOUND),
        ("html", NGINX, 404, Outcome.NOT_FOUND),
        ("many", JSON_404, 404, Outcome.FAILED),
    ],
)
def test_a_404_in_another_format_is_no_answer(
    tmp_path: Path, kind: str, body: bytes, status: int, outcome: Outcome
) -> None:
    with misbehaving() as server:
        server.raw[""] = (status, "text/html" if body == NGINX else "application/json", body)
        with registered(recipe(tmp_path, kind, server.url)) as source:
            answer = source.lookup(f"+34{mobile(0)}")
    assert answer.outcome == outcome
    assert answer.reason == (CauseCode.SOURCE_ERROR if outcome == Outcome.FAILED else None)


def test_a_rule_of_the_recipe_is_believed(app, alice, make_job, tmp_path: Path) -> None:
    with misbehaving() as server:
        server.raw[""] = (404, "text/html", NGINX)
        made = recipe(tmp_path, "json", server.url, changed=("not_found = [{", "not_found = [{ status = 404 }, {"))
        with registered(made):
            job = make_job(alice, 30, source=made.name)
            assert runner.run(job.id, 0, given()) == Status.COMPLETED
    assert (job.not_found_count, set(server.calls.values())) == (30, {1})


@pytest.mark.parametrize("rows", [3, 200])
@pytest.mark.parametrize("body", [NGINX, JSON_404])
def test_a_file_of_nothing_but_404_stops_and_nothing_is_kept(
    app, alice, make_job, tmp_path: Path, rows: int, body: bytes
) -> None:
    with misbehaving() as server:
        server.raw[""] = (404, "text/html" if body == NGINX else "application/json", body)
        made = recipe(tmp_path, "json", server.url)
        with registered(made):
            job = make_job(alice, rows, source=made.name)
            assert runner.run(job.id, 0, given()) == Status.FAILED
    causes = {NGINX: CauseCode.ANSWERS_UNUSABLE, JSON_404: CauseCode.NOTHING_THERE}
    few = rows < recipe_doubts.NOTHING_THERE_AFTER and body == NGINX  # each of them failed, for its own reason
    assert job.last_error == (CauseCode.NUMBERS_UNANSWERED if few else causes[body])
    assert job.not_found_count == 0
    assert (
        sum(server.calls.values()) <= 2 * rows and sum(server.calls.values()) <= recipe_doubts.NOTHING_THERE_AFTER + 10
    )


@pytest.mark.parametrize("found_before", [True, False])
def test_unknown_numbers_at_a_source_that_finds_others(
    app, alice, make_job, tmp_path: Path, found_before: bool
) -> None:
    """The first of a file, and a file of unknown numbers alone: the source answers 404 for them, and finds others."""
    with misbehaving() as server:
        made = recipe(tmp_path, "json", server.url, concurrency=1)
        unknown = [mobile(n) for n in range(60) if mobile(n).endswith("7")]
        server.raw.update({f"+34{number}": (404, "application/json", JSON_404) for number in unknown})
        with registered(made):
            if found_before:
                earlier = make_job(alice, 5, source=made.name)
                earlier.found_count = 1
                db.session.commit()
                job = make_job(alice, unknown, source=made.name)
            else:
                job = make_job(alice, [*unknown, mobile(0), mobile(1)], source=made.name)
            assert runner.run(job.id, 0, given()) == Status.COMPLETED
    assert job.not_found_count == len(unknown)
    asked = {server.calls[f"+34{number}"] for number in unknown}
    assert asked == {2}, "once more after all others, as nothing else had come"
