"""Every code has a sentence that says what happened and what to do."""

import pytest
from flask import Flask
from flask_babel import Babel, force_locale

from portal.documents.reader.limits import FileProblem
from portal.documents.words import PROBLEMS, problem_words, reason_words
from portal.phone import REASONS, Reason

FACTS = {"rows": 12345, "limit": 5000, "columns": 300, "sheets": 101, "found": "png"}


def test_codes_and_sentences_match() -> None:
    assert set(PROBLEMS) == set(FileProblem)
    assert set(REASONS) == set(Reason)


@pytest.mark.parametrize("code", [*FileProblem, *Reason])
def test_each_sentence_says_what_to_do(code: FileProblem | Reason) -> None:
    app = Flask("words")
    Babel(app)
    with app.test_request_context(), force_locale("en"):
        text = problem_words(code, FACTS) if isinstance(code, FileProblem) else reason_words(code)
    assert text.endswith(".")
    assert len(text.split(". ")) >= 2
    assert "%" not in text
    assert "_" not in text


def test_numbers_are_localised_and_may_be_missing() -> None:
    app = Flask("words")
    Babel(app)
    with app.test_request_context():
        with force_locale("en"):
            assert "12,345 rows" in problem_words("too_many_rows", FACTS)
            assert "– rows" in problem_words(FileProblem.TOO_MANY_ROWS)
        with force_locale("de"):
            assert "12.345" in problem_words("too_many_rows", FACTS)
