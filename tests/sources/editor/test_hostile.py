"""A hostile answer is shown cut and does nothing; a hostile recipe is refused with its line."""

import json

import pytest

from portal.sources.editor.answer_tree import MOST_ROWS, AnswerTree, format_of, read_as, tree_of
from portal.sources.editor.drafted import mistakes_in
from portal.sources.http.response import SourceResponse
from portal.sources.recipes.model import AnswerReading


def tree(body: str, kind: str) -> AnswerTree:
    response = SourceResponse(200, {"content-type": kind}, body.encode("utf-8", "surrogatepass"))
    return tree_of(read_as(response, AnswerReading(format_of(response))), ("34612345678",))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (json.dumps([{"k": number} for number in range(100_000)]), "application/json"),
        ('{"a":' * 60 + "1" + "}" * 60, "application/json"),
        ("[" * 100_000, "application/json"),
        ("<p " + " ".join(f'a{number}="x"' for number in range(90_000)) + ">x</p>", "text/html"),
        ("<p class=o>x</p>" * 60_000, "text/html"),
        ("<r>" + "<a><b>x</b></a>" * 50_000 + "</r>", "text/xml"),
        ('<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">]><r>&a;</r>', "text/xml"),
        ("x;y\n" * 100_000, "text/csv"),
    ],
)
def test_a_giant_answer_is_shown_cut(body: str, kind: str) -> None:
    found = tree(body, kind)
    assert len(found.rows) <= MOST_ROWS and (found.is_cut or found.why)
    assert all(len(row.value) <= 200 and len(row.label) <= 200 and row.depth <= 13 for row in found.rows)


def test_scripts_are_no_part_of_a_page_and_surrogates_are_gone() -> None:
    page = tree("<html><script>alert(1)</script><svg onload=alert(2)></svg><p id=a>hello</p></html>", "text/html")
    assert [row.value for row in page.rows] == ["hello"]
    values = tree('{"a": "x\\ud800y", "b": "<script>alert(1)</script>"}', "application/json")
    assert [row.value for row in values.rows] == ["xy", "<script>alert(1)</script>"]


def test_the_number_itself_is_in_no_path() -> None:
    assert tree('{"34612345678": {"op": "M"}}', "application/json").rows[1].place == {"path": "values(@)[0].op"}


RECIPE = """name = "x"
kind = "json"
# a comment
[request]
url = "https://api.example.com/{e164}"
headers = { A = "b" }

[fields]
operator = { path = "operator" }
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "code"),
    [
        ("https://api.example.com", "http://169.254.169.254", 5, "address_private_address"),
        ("https://api.example.com", "http://[::ffff:127.0.0.1]", 5, "address_private_address"),
        ("https://api.example.com", "http://0x7f000001", 5, "address_private_address"),
        ("https://api.example.com", "http://localhost", 5, "address_private_address"),
        ("https://api.example.com", "https://api.example.com:6379", 5, "address_port_refused"),
        ("https://api.example.com", "file:///etc", 5, "bad_address"),
        ('A = "b"', 'A = "b\\r\\nHost: evil"', 6, "bad_header"),
        ('"operator" }', '"operator", regex = "(a+)+\\\\1$" }', 9, "bad_regex"),
        ('"operator" }', '"operator", regex = "((a{1,1000}){1,1000}){1,1000}" }', 9, "bad_regex"),
        ('path = "operator"', 'xpath = "//a[//b[//c[//d]]]"', 9, "heavy_expression"),
        ('"x"\n', '"x"\nevil = 1\n', 2, "unknown_key"),
        ("[fields]", "[fields", 8, "not_toml"),
    ],
)
def test_a_hostile_recipe_is_refused_with_its_line(old: str, new: str, line: int, code: str) -> None:
    found = mistakes_in(RECIPE.replace(old, new, 1))
    assert (line, code) in [(one.line, one.code) for one in found], found
    assert mistakes_in(RECIPE) == ()
