"""Placeholders: a value stays a value, whatever it contains."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from lxml import etree

from portal.sources.recipes.filling import BadValue, MissingSecret, fill
from portal.sources.recipes.model import Batch, Request
from portal.sources.recipes.placeholders import MASK, forms_of, masked, secret_names

NASTY = 'a"b\\c/d?e&f=g%h#i é\u2028}{'


def test_a_number_has_its_four_forms() -> None:
    assert forms_of("+34612345678") == {
        "e164": "+34612345678", "national": "612345678", "country_code": "34", "digits": "34612345678",
    }  # fmt: skip
    assert forms_of("+493012345678")["national"] == "3012345678"


def test_in_an_address_a_value_stays_one_part() -> None:
    request = Request("https://h.example/{e164}/x?key={secret:K}&n={digits}")
    parts = urlsplit(fill(request, ["+34612345678"], {"K": NASTY}).url)
    assert (parts.hostname, parts.path, parts.fragment) == ("h.example", "/%2B34612345678/x", "")
    assert parse_qs(parts.query) == {"key": [NASTY], "n": ["34612345678"]}


def test_in_a_json_body_a_value_stays_a_text() -> None:
    request = Request("https://h.example", "POST", body='{"k": "{secret:K}", "n": {numbers_json}, "d": {digits}}')
    filled = fill(
        request, ["+34612345678", "+34612345679"], {"K": NASTY}, batch=Batch(request, 100, "@", "@", number="national")
    )
    assert json.loads(filled.body or b"") == {"k": NASTY, "n": ["612345678", "612345679"], "d": 34612345678}
    assert filled.headers["Content-Type"] == "application/json"


def test_in_a_form_a_value_stays_one_field() -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    request = Request("https://h.example", "POST", headers, body="k={secret:K}&n={e164}")
    filled = fill(request, ["+34612345678"], {"K": NASTY})
    assert parse_qs((filled.body or b"").decode()) == {"k": [NASTY], "n": ["+34612345678"]}


@pytest.mark.parametrize("value", ["a\nX-Admin: 1", "a\r\nb", "a\x00b", "a\x7f"])
def test_a_value_that_breaks_a_header_is_refused(value: str) -> None:
    with pytest.raises(BadValue) as refused:
        fill(Request("https://h.example", headers={"X": "{secret:K}"}), ["+34612345678"], {"K": value})
    assert value not in str(refused.value)


def test_what_a_value_holds_is_not_filled_in_again() -> None:
    request = Request("https://h.example", "POST", body='{"a": "{secret:A}"}')
    filled = fill(request, ["+34612345678"], {"A": "{secret:B} {e164}", "B": "no"})
    assert json.loads(filled.body or b"") == {"a": "{secret:B} {e164}"}


def test_a_missing_secret_is_named() -> None:
    with pytest.raises(MissingSecret, match="^K$"):
        fill(Request("https://h.example/{secret:K}"), ["+34612345678"], {"K": "  "})


def test_braces_of_json_are_no_placeholders() -> None:
    request = Request("https://h.example", "POST", body='{"a": {"b": "{e164}"}}')
    assert json.loads(fill(request, ["+34612345678"], {}).body or b"") == {"a": {"b": "+34612345678"}}


def test_secret_names_are_found_everywhere() -> None:
    request = Request("https://h.example/{secret:A}", "POST", {"X": "{secret:B}"}, '{"c": "{secret:C}{secret:A}"}')
    assert sorted(secret_names([request, request])) == ["A", "B", "C"]


@pytest.mark.parametrize("secret", ["plain", NASTY, "a+b c", 'quote"'])
def test_a_secret_is_masked_in_every_form(secret: str) -> None:
    for request in (
        Request("https://h.example/?k={secret:K}"),
        Request("https://h.example", "POST", body='{"k": "{secret:K}"}'),
        Request("https://h.example", "POST", {"Content-Type": "application/x-www-form-urlencoded"}, "k={secret:K}"),
    ):
        filled = fill(request, ["+34612345678"], {"K": secret})
        shown = masked(f"{filled.url} {(filled.body or b'').decode()}", filled.secrets)
        assert MASK in shown and secret not in shown


TYPES = {
    "application/json": '"{s}"',
    "Application/X-WWW-Form-Urlencoded; charset=utf-8": "k={s}",
    "text/xml": "<k>{s}</k>",
    "application/soap+xml; charset=utf-8": "<k>{s}</k>",
    "text/plain": "{s}",
}


def read_back(kind: str, body: str) -> str:
    """The value as a server of that kind reads it."""
    if "form" in kind.lower():
        return parse_qs(body, strict_parsing=True)["k"][0]
    if "xml" in kind:
        return str(etree.fromstring(body).text)
    return str(json.loads(body)) if "json" in kind else body


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("value", ["a&b<c>", "'q\" +%=", "]]>", "ñ"])
def test_a_body_is_escaped_by_its_content_type(kind: str, value: str) -> None:
    request = Request("https://h.example", "POST", {"content-type": kind}, TYPES[kind].replace("{s}", "{secret:K}"))
    filled = fill(request, ["+34612345678"], {"K": value})
    assert read_back(kind, (filled.body or b"").decode()) == value
    assert value == "ñ" or MASK in masked((filled.body or b"").decode(), filled.secrets)


def test_a_list_of_numbers_is_escaped_too() -> None:
    numbers = ["+34612345678", "+34612345679"]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    asked = fill(Request("https://h.example/?n={numbers_json}", "POST", form, "n={numbers_json}"), numbers, {})
    for text in (asked.url.partition("?")[2], (asked.body or b"").decode()):
        assert json.loads(parse_qs(text)["n"][0]) == numbers


def test_a_word_in_doubled_braces_is_no_placeholder() -> None:
    query = '{"query": "{ lookup(n: \\"{e164}\\") { carrier{{name}} } }"}'
    filled = fill(Request("https://h.example", "POST", body=query), ["+34612345678"], {})
    assert json.loads(filled.body or b"")["query"] == '{ lookup(n: "+34612345678") { carrier{name} } }'


def test_a_short_secret_does_not_shred_what_is_shown() -> None:
    assert (
        masked('{"json": "s", "api_secret": 1} ?k=s&x', ["s"]) == f'{{"json": "{MASK}", "api_secret": 1}} ?k={MASK}&x'
    )
