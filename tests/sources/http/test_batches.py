"""Many numbers in one answer: each item is given to its number, in whichever way it is written, and to no other."""

from pathlib import Path
from typing import Any

import pytest

from portal.causes import CauseCode
from portal.jobs.attempt import runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.sources.base import NoTickets, Outcome, SourceStopped
from portal.sources.http.batch import by_number, items_in
from portal.sources.http.classify import search
from portal.sources.http.number_keys import NumberKeys
from portal.sources.recipes.filling import fill
from portal.sources.recipes.model import Batch, Request
from tests.support.cast import NOW, mobile
from tests.support.misbehaving import misbehaving
from tests.support.recipes import recipe, registered

ASKED = ("+34612345678", "+442079460018", "+390612345678", "+525512345678")


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+34612345678", 0),
        ("34612345678", 0),
        ("0034612345678", 0),
        ("+0034612345678", 0),
        ("612345678", 0),
        (" +34 612 34 56 78 ", 0),
        ("+34-612.345/678", 0),
        ("(34) 612345678", 0),
        ("tel:+34-612-345-678;ext=1", 0),
        ("sip:+34612345678@example.com", 0),
        ("\u200e+34\u00a0612\u2011345\u2011678", 0),
        (34612345678, 0),
        (34612345678.0, 0),
        ("+44 (0)20 7946 0018", 1),
        ("020 7946 0018", 1),
        (2079460018, 1),
        ("00442079460018", 1),
        ("06 1234 5678", 2),
        (612345679, None),
        ("+33612345678", None),  # the national form of one that was asked about, in another country
        ("0033612345678", None),
        ("+3461234567", None),
        ("Movistar 612345678", None),
        ("", None),
        ({"number": "612345678"}, None),
        (True, None),
    ],
)
def test_a_number_is_known_however_it_is_written(written: Any, number: int | None) -> None:
    assert NumberKeys(ASKED).find(written) == (None if number is None else ASKED[number])


def test_what_two_numbers_share_finds_neither() -> None:
    keys = NumberKeys(["+34612345678", "+33612345678"])
    assert keys.find("612345678") is None and keys.find("0612345678") == "+33612345678"
    assert keys.find("0034612345678") == "+34612345678"


def test_a_batch_in_another_writing_is_paid_for_once(app, alice, make_job, tmp_path: Path) -> None:
    numbers = [f"+34{mobile(10 * n)}" for n in range(30)]
    with misbehaving() as server:
        for number in numbers:
            server.items[number] = {"number": f"00{number[1:3]} {number[3:]}", "data": {"operator": "Orange"}}
        made = recipe(tmp_path, "many", server.url)
        with registered(made):
            job = make_job(alice, [number[3:] for number in numbers], source=made.name)
            now = Conditions(worker="w", lease_seconds=60, backoff=Backoff(), clock=lambda: NOW)
            assert runner.run(job.id, 0, now) == Status.COMPLETED
    assert (job.found_count, set(server.calls.values())) == (30, {1})


@pytest.mark.parametrize(
    ("missing", "stranger", "outcome"),
    [
        ("", False, Outcome.FAILED),
        ("retry", False, Outcome.FAILED),
        ("not_found", False, Outcome.NOT_FOUND),
        ("rejected", False, Outcome.REJECTED),
        # One item is about a number that was not recognised: it may be the one that is missing.
        ("not_found", True, Outcome.FAILED),
    ],
)
def test_what_a_batch_leaves_out(tmp_path: Path, missing: str, stranger: bool, outcome: Outcome) -> None:
    here, left_out, third = (f"+34{mobile(n)}" for n in (0, 1, 2))
    word = f'key = "number"\nmissing = "{missing}"\n' if missing else 'key = "number"\n'
    with misbehaving() as server:
        server.items[left_out] = None
        server.items[third] = {"number": "ref 12", "data": {"operator": "x"}} if stranger else None
        made = recipe(tmp_path, "many", server.url, changed=('key = "number"\n', word))
        with registered(made) as source:
            answers = source.open_session(lambda: False, NoTickets()).lookup_many([here, left_out, third])
    assert [answers[number].outcome for number in (here, left_out)] == [Outcome.FOUND, outcome]


@pytest.mark.parametrize("kind", ["many", "poll"])
def test_a_batch_of_which_no_item_fits_stops_the_file_at_once(app, alice, make_job, tmp_path: Path, kind: str) -> None:
    """Every batch costs as much as its numbers: one is enough to know."""
    with misbehaving() as server:
        for n in range(500):
            server.items[f"+34{mobile(n)}"] = {"number": f"id-{n}", "data": {"operator": "Orange"}}
        made = recipe(tmp_path, kind, server.url, concurrency=1)
        with registered(made):
            job = make_job(alice, 500, source=made.name)
            now = Conditions(worker="w", lease_seconds=60, backoff=Backoff(), clock=lambda: NOW)
            assert runner.run(job.id, 0, now) == Status.FAILED
    assert job.last_error == CauseCode.ANSWERS_UNUSABLE
    assert (server.calls.total(), set(server.calls.values())) == (10, {1})


def test_a_batch_that_fitted_before_is_not_stopped_by_one_that_does_not(tmp_path: Path) -> None:
    first, second = f"+34{mobile(0)}", f"+34{mobile(1)}"
    with misbehaving() as server:
        server.items[second] = {"number": "id-1", "data": {"operator": "Orange"}}
        with registered(recipe(tmp_path, "many", server.url)) as source:
            session = source.open_session(lambda: False, NoTickets())
            assert session.lookup_many([first])[first].outcome == Outcome.FOUND
            assert session.lookup_many([second])[second].reason == CauseCode.SOURCE_ERROR
            with pytest.raises(SourceStopped):
                source.open_session(lambda: False, NoTickets()).lookup_many([second])


# ── how the numbers are written, and how the answers come back ──────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("each", "join", "content_type", "body", "sent"),
    [
        ("", "", "application/json", '["{numbers}"]', '["+34612345678,+442079460018"]'),
        ("{digits}", "|", "text/plain", "{numbers}", "34612345678|442079460018"),
        ("{e164}", "&n=", "application/x-www-form-urlencoded", "n={numbers}", "n=%2B34612345678&n=%2B442079460018"),
        (
            '{"tel": "{national}", "cc": {country_code}}', ",", "application/json", '{"q": [{numbers}]}',
            '{"q": [{"tel": "612345678", "cc": 34},{"tel": "2079460018", "cc": 44}]}',
        ),
        ("<t>{e164}</t>", "", "text/xml", "<q>{numbers}</q>", "<q><t>+34612345678</t><t>+442079460018</t></q>"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_the_recipe_says(each: str, join: str, content_type: str, body: str, sent: str) -> None:
    request = Request("https://h.example/?n={numbers}", "POST", {"Content-Type": content_type}, body)
    batch = Batch(request, 100, "@", "@", each=each, join=join) if each else None
    filled = fill(request, ASKED[:2], {}, batch=batch)
    assert (filled.body or b"").decode() == sent
    if not each:
        assert filled.url.endswith("?n=%2B34612345678,%2B442079460018")


@pytest.mark.parametrize("path", ["@map", "@map body.results"])
def test_an_object_with_a_member_for_each_number(path: str) -> None:
    members = {"34612345678": {"found": True}, "0044 20 7946 0018": {"found": False}}
    content = members if path == "@map" else {"body": {"results": members}}
    found, fits_all = by_number(items_in(path, content), Batch(Request(""), 2, path, "key"), ASKED[:2])
    assert fits_all and [search("value.found", found[number]) for number in ASKED[:2]] == [True, False]
    assert items_in(path, {"body": {"results": []}} if path != "@map" else []) is None
