"""Text of a source, from its bytes to the page and the files: clean, in the right charset, each answer on its own."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from sqlalchemy import select

from portal.accounts import User
from portal.database import db
from portal.jobs.attempt import runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.job_tables import CellAnswer
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.jobs.models import ScrapingJob
from portal.sources.http.answer_samples import Samples
from portal.sources.http.clean import clean_json, clean_text
from portal.sources.http.extract import extract_fields
from portal.sources.http.response import SourceResponse, UnreadableResponse
from portal.sources.recipes.model import FieldRule
from portal.sources.recipes.patterns import first_group
from tests.support.cast import NOW, mobile
from tests.support.databases import ON_BOTH
from tests.support.misbehaving import misbehaving
from tests.support.recipes import recipe, registered

NASTY = st.text(st.characters(exclude_categories=()), max_size=30)  # with half surrogate pairs and control characters
UNWANTED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
HOSTILE = ("\ud800 lone", "nul\x00x", "\x1b[31mred", "c1 \x9b31m", "\udfff\ud800x", "a\ufffeb", "a\tb\nc")


@settings(max_examples=200, deadline=None)
@for_all(NASTY, st.booleans())
def test_json_gives_clean_text_however_it_is_written(text: str, ascii_only: bool) -> None:
    written = json.dumps({"x": text, text: [text]}, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    response = SourceResponse(200, {}, written)
    try:
        value = response.json
    except UnreadableResponse:
        assert not ascii_only  # bytes that are no UTF-8 are read as Latin-1, or are no JSON
        return
    found = extract_fields([FieldRule("x", path="x")], value)
    assert not UNWANTED.search(repr(value).encode("unicode_escape").decode("unicode_escape"))
    if ascii_only:
        assert found.get("x", "") == clean_text(text).strip()[:1000]
    sample = Samples().add(response, "no field x", content=value)
    assert sample and not UNWANTED.search(sample.body)


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("text", ["Á É Ñ Ó à", "😀 👍🏽", "tab\tand\nlines", 'C:\\foo \\ "', "ￜ ퟿"])
def test_an_ordinary_answer_is_not_walked_through(text: str, ascii_only: bool) -> None:
    """The bytes of Á end with one that is a control character in Latin-1; an emoji's escapes are two halves."""
    written = json.dumps({"x": [text, {text: text}]}, ensure_ascii=ascii_only)
    value = json.loads(written)
    assert clean_json(value, written) is value


PIECES = st.sampled_from(
    [
        "\\",
        "\\\\",
        "u",
        "\\ud83d",
        "\\ude00",
        "\\u00",
        "1f",
        "85",
        "\\ufffe",
        "\\u007f",
        "a",
        "Á",
        "\x85",
        "\\n",
        "\ufffe",
    ]
)


@settings(max_examples=500, deadline=None)
@for_all(st.lists(PIECES, max_size=8))
def test_what_is_not_walked_through_is_clean(pieces: list[str]) -> None:
    written = '"' + "".join(pieces) + '"'
    try:
        value = json.loads(written)
    except ValueError:
        return
    assert clean_json(value, written) == clean_text(value)


@settings(max_examples=100, deadline=None)
@for_all(st.integers(0, 0x10FFFF), NASTY)
def test_pages_give_clean_text(reference: int, text: str) -> None:
    page = f"<html><body><b>&#{reference};&#x80;</b><i>{text}</i></body></html>".encode("utf-8", "replace")
    response = SourceResponse(200, {"content-type": "text/html; charset=utf-8"}, page)
    try:
        found = extract_fields([FieldRule("b", css="b::text"), FieldRule("i", css="i")], response.page)
    except UnreadableResponse as error:
        assert "\ufffd" in (response.page.css("b::text").get() or "") + text, error
        return
    assert not UNWANTED.search("".join(found.values()))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", '{"x": "Telefónica Móviles"}'.encode("latin-1")),
        ("application/json; charset=ISO-8859-1", '{"x": "Telefónica Móviles"}'.encode("latin-1")),
        ("application/json; charset=nonsense", '{"x": "Telefónica Móviles"}'.encode()),
        ("application/json", '\ufeff{"x": "Telefónica Móviles"}'.encode()),
        ("application/json", '{"x": "Telefónica Móviles"}'.encode("utf-16")),
        ("application/json", '{"x": "Telefónica Móviles <meta charset=utf-7>"}'.encode()),
    ],
)
def test_json_in_any_usual_charset(kind: str, body: bytes) -> None:
    assert SourceResponse(200, {"Content-Type": kind}, body).json["x"].startswith("Telefónica Móviles")


@pytest.mark.parametrize(
    ("kind", "head", "charset"),
    [
        ("text/html", '<meta charset="iso-8859-1">', "latin-1"),
        ("text/html", '<meta http-equiv="Content-Type" content="text/html; charset=windows-1252">', "cp1252"),
        ("text/html", '<meta charset="macintosh">', "mac_roman"),  # not what its bytes look like
        ("text/html", "", "latin-1"),
        ("text/html", "", "utf-8"),
        ("text/html; charset=iso-8859-15", '<meta charset="utf-8">', "iso-8859-15"),
        ("", '<meta charset="iso-8859-1">', "latin-1"),
    ],
)
def test_pages_in_any_usual_charset(kind: str, head: str, charset: str) -> None:
    page = f"<html><head>{head}</head><body><b>Telefónica Móviles</b></body></html>".encode(charset)
    response = SourceResponse(200, {"Content-Type": kind} if kind else {}, page)
    assert response.page.css("b::text").get() == "Telefónica Móviles"
    assert "telefónica" in response.lower


@ON_BOTH
def test_a_poison_answer_is_saved_and_shown(
    app, alice: User, as_alice: FlaskClient, make_job: Callable[..., ScrapingJob], tmp_path: Path
) -> None:
    """One number after the other gets hostile text: all are paid for once, and page and files can be opened."""
    with misbehaving() as server:
        made = recipe(tmp_path, "json", server.url)
        cells = [mobile(10 * n) for n in range(len(HOSTILE))]
        for cell, text in zip(cells, HOSTILE, strict=True):
            answer = {"status": "ok", "data": {"operator": text, "ported": True}}
            server.raw[f"+34{cell}"] = (200, "application/json", json.dumps(answer).encode())
        with registered(made):
            job = make_job(alice, cells, source=made.name)
            now = Conditions(worker="w", lease_seconds=60, backoff=Backoff(), clock=lambda: NOW)
            assert runner.run(job.id, 0, now) == Status.COMPLETED
            rows = list(db.session.scalars(select(CellAnswer).order_by(CellAnswer.row_no)))
            assert [row.answer["operator"] for row in rows] == [clean_text(text).strip() for text in HOSTILE]
            assert set(server.calls.values()) == {1}
            assert as_alice.get(f"/jobs/{job.id}").status_code == 200
            book = as_alice.get(f"/jobs/{job.id}/results.xlsx", buffered=True)
            sheet = load_workbook(io.BytesIO(book.data)).active
            assert sheet is not None and sheet.max_row == len(HOSTILE) + 1
            text = as_alice.get(f"/jobs/{job.id}/results.csv", buffered=True).get_data(as_text=True)
            assert len(list(csv.reader(io.StringIO(text)))) == len(HOSTILE) + 1


@pytest.mark.parametrize(
    ("expression", "text", "found"),
    [
        (r"(\w+)", "Telefónica Móviles", "Telefónica"),
        (r"[\w ]+", "Ñandú é", "Ñandú é"),
        (r"\d{4}", "desde ٢٠٢٤", "٢٠٢٤"),
        (r"a\sb", "x a\u00a0b", "a\u00a0b"),
        (r"\S+", "ñ x", "ñ"),
        (r"[^\w]+", "año—x", "—"),
        (r"(x)?y", "y", ""),
        (r"[]a]+", "b]a", "]a"),
        (r"\[\w\]", "[ñ]", "[ñ]"),
    ],
)
def test_patterns_know_every_script(expression: str, text: str, found: str) -> None:
    assert first_group(expression, text) == found


def test_a_pattern_cannot_explode() -> None:
    """Python's own engine would need longer than the universe is old for these."""
    for expression in (r"^(([A-Za-z]+ ?)+), S[.]A[.]$", r"(\w+\s?)+$", "(x+x+)+y", "(a|aa)+$"):
        assert first_group(expression, "Telefonica Moviles de Espana Sociedad Unipersonal " * 1000 + "xxx!") == ""


def test_a_yes_is_a_word_in_the_file(
    app, alice: User, as_alice: FlaskClient, make_job: Callable[..., ScrapingJob], tmp_path: Path
) -> None:
    with misbehaving() as server:
        made = recipe(tmp_path, "json", server.url)
        with registered(made):
            job = make_job(alice, [mobile(10), mobile(11)], source=made.name)
            runner.run(job.id, 0, Conditions(worker="w", lease_seconds=60, backoff=Backoff(), clock=lambda: NOW))
            alice.locale = "es"
            db.session.commit()
            text = as_alice.get(f"/jobs/{job.id}/results.csv", buffered=True).get_data(as_text=True)
    assert ';"sí"\r\n' in text and ';"no"\r\n' in text and "yes" not in text


@pytest.mark.parametrize(
    "tag",
    [
        "".join(f" a{n}=1" for n in range(9_000)),
        "".join(f" a{n}" for n in range(9_000)),
        "".join(f'a{n}=""' for n in range(9_000)),
        "".join(f" a{n}='>'" for n in range(9_000)),
        ' b=x"' + "".join(f" a{n}=1" for n in range(9_000)) + ' c="x"',
        "/".join(f" a{n}" if n == 0 else f"a{n}" for n in range(1500)),
        ' x=y" ' + " ".join(f"a{n}" for n in range(1500)) + ' b=""',
        " ' " + " ".join(f"a{n}" for n in range(1500)) + " '",
    ],
    ids=["values", "names", "no-spaces", "brackets", "false-quotes", "slashes", "quote-in-a-value", "quote-as-a-name"],
)
def test_a_page_with_too_many_attributes_is_not_read(tag: str) -> None:
    with pytest.raises(UnreadableResponse):
        _ = SourceResponse(200, {}, f"<html><body><div{tag}>x</div></body></html>".encode()).page


def test_an_ordinary_page_with_long_tags_is_read() -> None:
    image = f"<img src='data:image/png;base64,{'A' * 100_000}' alt='{'word ' * 3000}'>"
    page = f"<html><body>{image}<b class='{'c ' * 500}'>Movistar</b>{'<p id=x class=y>' * 20_000}</body></html>"
    assert SourceResponse(200, {}, page.encode()).page.css("b::text").get() == "Movistar"
