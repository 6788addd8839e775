"""Which rule is proposed for an answer: what says that the number is wrong, and not what a good number may say too."""

import json
from pathlib import Path

import pytest

from portal.sources.editor.drafted import SampleAnswer
from portal.sources.editor.rule_guess import proposals
from portal.sources.http.response import SourceResponse
from portal.sources.recipes.loader import recipe_of

TEXT = """name = "x"
kind = "json"
[request]
url = "https://api.example.com/{digits}"
[fields]
operator = "operator"
"""


def sample(nth: int, meaning: str, content: object) -> SampleAnswer:
    response = SourceResponse(200, {"content-type": "application/json"}, json.dumps(content).encode())
    return SampleAnswer(nth, f"+3461234567{nth}", meaning, response)


def test_a_long_text_is_told_by_one_of_its_sentences() -> None:
    recipe = recipe_of(
        TEXT.replace("[fields]", '[answer]\nformat = "text"\n[fields]').replace('"operator"', "'OK: (.*)'"),
        Path("x.toml"),
    )
    good = "OK: This prefix is currently supported. Messages sent to this prefix will be routed."
    bad = "ERR: This prefix is not currently supported. Messages sent to this prefix will fail. Please contact support."
    samples = [
        SampleAnswer(
            nth, "+34612345671", meaning, SourceResponse(200, {}, text.encode(), reading=recipe.request.reading)
        )
        for nth, (meaning, text) in enumerate((("exists", good), ("unknown", bad)))
    ]
    found, unclear = proposals(recipe, samples)
    assert [dict(one.rule) for one in found] == [{"text": "ERR: This prefix is not currently supported."}]
    assert not unclear


@pytest.mark.parametrize(
    ("good", "bad", "rule"),
    [
        (
            {"phone_type": "mobile", "phone_valid": True, "country_code": "ES", "operator": "x"},
            {"phone_type": "unknown", "phone_valid": False, "country_code": "", "operator": ""},
            "phone_valid == `false`",
        ),
        (
            {"valid": True, "line_type": "Wireless", "operator": "x", "fraud_score": 0},
            {"valid": False, "line_type": "N/A", "operator": "N/A", "fraud_score": 100},
            "valid == `false`",
        ),
        (
            {"error": {"code": 0, "type": ""}, "number_type": "mobile", "operator": "x"},
            {"error": {"code": 211, "type": "bad_number"}, "number_type": "", "operator": ""},
            "error.code == `211`",
        ),
    ],
)
def test_what_is_said_of_the_number_itself_is_no_rule(good: object, bad: object, rule: str) -> None:
    found, unclear = proposals(recipe_of(TEXT, Path("x.toml")), [sample(1, "exists", good), sample(2, "wrong", bad)])
    assert [(one.name, one.rule["json"]) for one in found if one.name == "rejected"] == [("rejected", rule)]
    assert not unclear
