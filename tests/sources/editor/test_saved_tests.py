"""Tests made of the answers of a draft: they prove the recipe, and no number that was asked stays in it."""

import json
from pathlib import Path

import pytest

from portal.sources.base import Outcome
from portal.sources.editor.document import RecipeDocument
from portal.sources.editor.drafted import SampleAnswer, read_sample
from portal.sources.editor.saved_tests import cases_of, replaced
from portal.sources.http.response import SourceResponse
from portal.sources.recipes.filling import each_of
from portal.sources.recipes.loader import recipe_of
from portal.sources.recipes.model import Recipe
from portal.sources.recipes.toml_table import BadRecipe
from portal.sources.selftest import run_tests

ASKED, OTHER = "+34699123456", "+34612345678"
PLAIN = """name = "x"
kind = "json"
[request]
url = "https://api.example.com/{digits}"
[outcome]
not_found = [{ json = "state == 'unknown'" }]
[fields]
operator = { path = "operator", required = true }
number = "number"
"""
HASHED = """name = "x"
kind = "batch"
[request]
url = "https://api.example.com/"
method = "POST"
body = "{numbers}"
[batch]
size = 60
each = "{digits|sha256}"
items = "@map"
key = "@each"
[fields]
found = { path = "value.found", type = "bool", required = true }
"""


def sample(
    number: str, content: object, status: int = 200, nth: int = 1, kind: str = "application/json"
) -> SampleAnswer:
    body = content if isinstance(content, str) else json.dumps(content)
    return SampleAnswer(nth, number, "exists", SourceResponse(200, {"content-type": "application/json"}, body.encode()))


def proven(text: str, *samples: SampleAnswer) -> tuple[Recipe, str]:
    """The recipe with tests made of these answers, and its text."""
    recipe, document = recipe_of(text, Path("x.toml")), RecipeDocument(text)
    document.set_tests(cases_of(recipe, samples, {one.id: read_sample(recipe, one) for one in samples}))
    return recipe_of(document.text, Path("x.toml")), document.text


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("+34699123456", "+34612345678"),
        ("0034 699 12 34 56", "0034 612 34 56 78"),
        ("tel. 699-123-456.", "tel. 612-345-678."),
        ("(+34) 699.123.456", "(+34) 612.345.678"),
        ("1699123456", "1699123456"),  # another number
    ],
)
def test_a_number_is_replaced_however_it_is_written(written: str, instead: str) -> None:
    assert replaced(written, ASKED, OTHER) == instead


def test_no_number_stays_and_the_tests_pass() -> None:
    answers = [
        sample(ASKED, {"operator": "Orange", "number": "+34 699 12 34 56", "state": "known"}),
        sample("+34911234567", {"state": "unknown", "msisdn": 34911234567}, nth=2),
    ]
    recipe, text = proven(PLAIN, *answers)
    assert "699" not in text and "91123" not in text
    assert [proof.passed for proof in run_tests(recipe)] == [True, True]
    first, second = recipe.tests
    assert first.expect["operator"] == "Orange" and first.expect["number"] in first.answer
    assert (second.outcome, len(second.number)) == (Outcome.NOT_FOUND, len("+34911234567"))


def test_a_digest_of_the_number_is_replaced_as_well() -> None:
    digest = each_of("{digits|sha256}", ASKED)
    recipe, text = proven(HASHED, sample(ASKED, {digest: {"found": True}}))
    assert digest not in text and [proof.passed for proof in run_tests(recipe)] == [True]


def test_what_would_not_prove_the_same_becomes_no_test() -> None:
    by_number = PLAIN.replace('path = "operator"', 'path = "numbers.\\"34699123456\\""')
    recipe, text = proven(by_number, sample(ASKED, {"numbers": {"34699123456": "Orange"}}))
    assert recipe.tests == () and "[[test]]" not in text
    assert proven(PLAIN, sample(ASKED, {"operator": "x" * 30_000}))[0].tests == ()


@pytest.mark.parametrize("body", ["<p>it's\n'here'</p>", "''' \n", "a\r\nb", "x'", 'tab\tand \\ "quotes"\n'])
def test_every_text_comes_back_as_it_was(body: str) -> None:
    document = RecipeDocument(PLAIN)
    document.set_tests([{"number": OTHER, "answer": body, "outcome": "failed"}])
    assert RecipeDocument(document.text).value("test")[0]["answer"] == body


def test_tests_with_files_stay_without_fields_that_are_gone(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"operator": "Orange"}')
    own = f'# mine\n[[test]]\nnumber = "{OTHER}"\nresponse = "a.json"\nexpect = {{ operator = "Orange", gone = "x" }}\n'
    document = RecipeDocument(PLAIN + own)
    for _ in range(2):
        document.set_tests([{"number": OTHER, "answer": '{"operator": "Yoigo"}', "expect": {"operator": "Yoigo"}}])
    recipe = recipe_of(document.text, tmp_path / "x.toml")
    assert [proof.passed for proof in run_tests(recipe)] == [True, True]
    assert recipe.tests[0].expect == {"operator": "Orange"}


def test_an_answer_is_here_or_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    both = PLAIN + f'[[test]]\nnumber = "{OTHER}"\nresponse = "a.json"\nanswer = "{{}}"\n'
    for text, code in ((both, "answer_or_file"), (PLAIN + f'[[test]]\nnumber = "{OTHER}"\n', "missing")):
        with pytest.raises(BadRecipe) as raised:
            recipe_of(text, tmp_path / "x.toml")
        assert [one.code for one in raised.value.mistakes] == [code]
