"""How an answer is read: its charset, and what no charset can read."""

import csv
import json
from pathlib import Path

import pytest

from portal.causes import CauseCode
from portal.jobs.attempt import number_queue, runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.sources.base import NoTickets, Outcome, SourceBusy
from portal.sources.http.extract import extract_fields
from portal.sources.http.response import SourceResponse, UnreadableResponse
from portal.sources.recipes.model import AnswerReading, FieldRule
from tests.support.cast import NOW, mobile
from tests.support.misbehaving import misbehaving
from tests.support.recipes import recipe, registered

ANSWER = '{"status": "ok", "data": {"operator": "Telefónica", "ported": true}}'
PAGE = "<dl class='record'><dd class='operator'>Telefónica</dd></dl>"


@pytest.mark.parametrize(
    ("kind", "content_type", "body", "reading", "outcome"),
    [
        ("json", "application/json; charset=utf-8", ANSWER.encode("latin-1"), "", Outcome.FAILED),
        ("json", "application/json; charset=utf-8", ANSWER.encode("latin-1"), "latin-1", Outcome.FOUND),
        ("json", "application/json", ANSWER.replace("ó", "\ufffd").encode(), "", Outcome.FAILED),
        ("html", "text/html; charset=utf-8", PAGE.encode("latin-1"), "", Outcome.FAILED),
        ("html", "text/html; charset=utf-8", PAGE.encode("cp1252"), "windows-1252", Outcome.FOUND),
        ("html", "text/html", f'<meta charset="utf-8">{PAGE}'.encode("latin-1"), "", Outcome.FAILED),
    ],
)
def test_what_cannot_be_read_is_never_found(
    tmp_path: Path, kind: str, content_type: str, body: bytes, reading: str, outcome: Outcome
) -> None:
    word = f'[answer]\ncharset = "{reading}"\n[limits]\n' if reading else "[limits]\n"
    with misbehaving() as server:
        server.raw[""] = (200, content_type, body)
        with registered(recipe(tmp_path, kind, server.url, changed=("[limits]\n", word))) as source:
            answer = source.lookup(f"+34{mobile(0)}")
    assert (answer.outcome, answer.fields.get("operator")) == (
        outcome,
        "Telefónica" if outcome == Outcome.FOUND else None,
    )


def test_half_an_emoji_is_taken_out_and_not_unreadable() -> None:
    value = SourceResponse(200, {}, b'{"x": "Orange \\ud83d"}').json
    assert extract_fields([FieldRule("x", path="x")], value) == {"x": "Orange"}


def test_an_answer_that_is_not_in_its_charset_says_so() -> None:
    for response in (
        SourceResponse(200, {"content-type": "application/json; charset=utf-8"}, b'{"x": "\xf3"}'),
        SourceResponse(200, {}, b'{"x": "\xf3"}', reading=AnswerReading(charset="utf-8")),
    ):
        with pytest.raises(UnreadableResponse, match="not in its charset"):
            _ = response.json


@pytest.mark.parametrize(
    ("written", "field", "read"),
    [
        (0.0045, {}, "0.0045"),
        ("0,0045", {}, "0.0045"),
        ("0.00500000", {}, "0.005"),
        (0.00001, {}, "0.00001"),
        ("1.234,56", {}, "1234.56"),
        ("1,234.56", {}, "1234.56"),
        ("1.234.567", {}, "1234567"),
        ("1 234,5", {}, "1234.5"),
        ("1'234.50", {}, "1234.5"),
        ("1.234", {}, "1.234"),
        ("1.234", {"decimal": ","}, "1234"),
        ("1,234", {"decimal": "."}, "1234"),
        ("5 €", {}, "5"),
        ("EUR 5,50", {}, "5.5"),
        ("-0,50", {}, "-0.5"),
        ("\u22125", {}, "-5"),
        ("100", {}, "100"),
        (100.0, {}, "100"),
        (True, {}, ""),
        ("5 of 10", {}, ""),
        ("1,2.3,4", {}, ""),
        ("n/a", {}, ""),
        ("1e999999999", {}, ""),
    ],
)
def test_a_number_is_a_number(written: object, field: dict[str, str], read: str) -> None:
    rule = FieldRule("x", path="x", type="number", **field)
    assert extract_fields([rule], {"x": written}).get("x", "") == read


@pytest.mark.parametrize(
    ("written", "form", "read"),
    [
        ("2026-05-31", "", "2026-05-31"),
        ("2026-05-31T22:30:00Z", "", "2026-05-31"),
        ("20260531", "", "2026-05-31"),
        ("31/5/2026", "", "2026-05-31"),
        ("31.05.2026 10:00", "", "2026-05-31"),
        ("31 de mayo de 2026", "", "2026-05-31"),
        ("1st May 2026", "", "2026-05-01"),
        ("3 sept. 2026", "", "2026-09-03"),
        (1780272000, "", "2026-06-01"),
        (1780272000000, "", "2026-06-01"),
        ("05/31/2026", "", ""),
        ("05/31/2026", "%m/%d/%Y", "2026-05-31"),
        ("31/02/2026", "", ""),
        ("never", "", ""),
    ],
)
def test_a_date_is_a_date(written: object, form: str, read: str) -> None:
    assert extract_fields([FieldRule("x", path="x", type="date", format=form)], {"x": written}).get("x", "") == read


SOAP = """<?xml version="1.0" encoding="ISO-8859-1"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><r xmlns="urn:hlr"><Operator>Telefónica
 Móviles</Operator><ported code="1"/></r></s:Body></s:Envelope>""".encode("latin-1")
NAMESPACES = {"h": "urn:hlr"}


@pytest.mark.parametrize(
    ("reading", "body", "fields", "found"),
    [
        (
            AnswerReading("xml", namespaces=NAMESPACES),
            SOAP,
            [FieldRule("a", xpath="//h:Operator"), FieldRule("b", xpath="//h:ported/@code", type="bool")],
            {"a": "Telefónica Móviles", "b": "yes"},
        ),
        (
            AnswerReading("csv"),
            'número;red;"precio, €"\r\n34612345678;"Orange; ""ES""";0,5\r\n\r\n'.encode("utf-8-sig"),
            [FieldRule("a", path="[0].red"), FieldRule("b", path='[0]."precio, €"', type="number")],
            {"a": 'Orange; "ES"', "b": "0.5"},
        ),
        (
            AnswerReading("csv", header=False),
            b"34612345678,21407, Movistar \n",
            [FieldRule("a", path="[0][2]")],
            {"a": "Movistar"},
        ),
        (AnswerReading("csv", delimiter=":"), b"a:b\n1,2:3", [FieldRule("a", path="[0].a")], {"a": "1,2"}),
        (
            AnswerReading("text"),
            b"OK 21407 ported=1",
            [FieldRule("a", regex=r"OK (\d+)"), FieldRule("b", regex="ported=(.)", type="bool")],
            {"a": "21407", "b": "yes"},
        ),
        (AnswerReading("html"), b"<p>Orange</p>", [FieldRule("a", css="p")], {"a": "Orange"}),
    ],
)
def test_an_answer_in_any_format(
    reading: AnswerReading, body: bytes, fields: list[FieldRule], found: dict[str, str]
) -> None:
    kind = {"xml": "text/xml", "html": "text/html"}.get(reading.format, "text/html; charset=utf-8")  # as PHP says it
    response = SourceResponse(200, {"content-type": kind}, body, reading=reading)
    assert extract_fields(fields, response.content) == found
    assert not response.has_other_format


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("xml", BOMB),
        ("xml", b"<a><b></a>"),
        ("xml", b"<a" + b"".join(b" a%d='1'" % n for n in range(5000)) + b"/>"),
        ("xml", b"<a>" * 100_000),
        ("xml", b"not at all"),
        ("csv", b"<!DOCTYPE html><html><body>Error</body></html>"),
        ("csv", b'a,b\n"' + b"x" * 200_000),
        ("text", b" <html><body>404</body></html>"),
        ("text", b" "),
    ],
)
def test_what_is_not_in_its_format_cannot_be_used(form: str, body: bytes) -> None:
    csv.field_size_limit(10**6)  # as after reading a text file
    with pytest.raises(UnreadableResponse):
        _ = SourceResponse(404, {}, body, reading=AnswerReading(form)).content


# ── too many requests, inside an answer ─────────────────────────────────────────────────────────────────────────────

BUSY = {"status": "error", "error": {"code": 106, "seconds": "0.05"}}
LIMITED = "limited = [{ json = \"error.code == `106`\", wait = 'error.seconds' }]\n"


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_queue, "BASE_SECONDS", 0.02)


@pytest.mark.parametrize("kind", ["json", "many"])
def test_slow_down_inside_an_answer_costs_no_try(
    app, alice, make_job, tmp_path: Path, short_waits: None, kind: str
) -> None:
    """Two of three lookups are throttled with status 200: the file completes in its first attempt."""
    with misbehaving(lambda number, nth: "limited_inside" if nth < 5 and int(number) % 3 else None) as server:
        server.limited_inside = json.dumps(BUSY if kind == "json" else {"results": []} | BUSY)
        made = recipe(tmp_path, kind, server.url, changed=("[outcome]\n", f"[outcome]\n{LIMITED}"))
        with registered(made):
            job = make_job(alice, 30, source=made.name)
            assert (
                runner.run(job.id, 0, Conditions(worker="w", lease_seconds=60, backoff=Backoff(), clock=lambda: NOW))
                == Status.COMPLETED
            )
    assert (job.retry_count, job.failed_count) == (0, 0)
    assert max(server.calls.values()) >= 5, "more often than a number has tries"


def test_one_limited_item_slows_down_and_the_others_are_kept(tmp_path: Path) -> None:
    first, second = f"+34{mobile(0)}", f"+34{mobile(1)}"
    rule = "limited = [{ json = \"status == 'busy'\", wait = 'seconds' }]\n"
    with misbehaving() as server:
        server.items[second] = {"number": second, "status": "busy", "seconds": 900}
        made = recipe(tmp_path, "many", server.url, changed=("[outcome]\n", f"[outcome]\n{rule}"))
        with registered(made) as source, pytest.raises(SourceBusy, match=CauseCode.RATE_LIMITED) as ended:
            source.open_session(lambda: False, NoTickets()).lookup_many([first, second])
    assert ended.value.seconds == 900
    assert {number: answer.outcome for number, answer in ended.value.answers.items()} == {first: Outcome.FOUND}
