"""The glossary is what pages say: the words that it gives are used, and the words that it forbids are not."""

import re
from collections.abc import Iterator

from flask import Flask
from flask_babel import force_locale

from portal.config import ROOT
from portal.jobs.core.status import CellStatus, Status
from portal.jobs.words.statuses import outcome_words, status_words
from tests.support.catalogue import both_texts, messages

PLACEHOLDER = re.compile(r"%\(\w+\)s")
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()


def rows_of(heading: str) -> list[list[str]]:
    """The rows of the table below a heading, without its head."""
    part = GLOSSARY.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def forbidden(language: str) -> Iterator[tuple[str, re.Pattern[str]]]:
    for spoken, words, _instead in rows_of("Words that pages do not use"):
        if spoken == language:
            for word in words.split(", "):
                end = r"\w*" if word.endswith("*") else r"\b"
                yield word, re.compile(rf"\b{re.escape(word.rstrip('*'))}{end}", re.IGNORECASE)


def sentences(language: str) -> Iterator[str]:
    for message in messages():
        texts = message.id if language == "English" else message.string
        yield from texts if isinstance(texts, tuple) else (texts,)


def offenders(language: str, texts: list[str]) -> list[str]:
    found = [(word, pattern) for word, pattern in forbidden(language)]
    bare = {text: PLACEHOLDER.sub("", text) for text in texts}
    return [f"{word}: {text}" for text in texts for word, pattern in found if pattern.search(bare[text])]


def test_no_sentence_has_a_forbidden_word() -> None:
    wrong = {language: offenders(language, list(sentences(language))) for language in ("English", "Spanish")}
    assert not any(wrong.values()), "\n".join(line for lines in wrong.values() for line in lines)


def test_the_search_finds_what_it_looks_for() -> None:
    assert offenders("English", ["The administrators were told.", "A letter waits."])
    assert offenders("Spanish", ["El fichero sigue por sí solo.", "Tus ficheros"])
    assert not offenders("English", ["Notified by email."])
    assert not offenders("Spanish", ["Tu archivo está en cola."])


def test_statuses_and_answers_are_called_as_the_glossary_says(app: Flask) -> None:
    with app.test_request_context():
        for locale, place in (("en", 1), ("es", 2)):
            with force_locale(locale):
                said = {f"`{status}`": status_words(status) for status in Status}
                assert said == {row[0]: row[place] for row in rows_of("Statuses of a job")}
                said = {f"`{outcome}`": outcome_words(outcome) for outcome in CellStatus}
                assert said == {row[0]: row[place] for row in rows_of("Answers of a number")}


def test_actions_are_called_as_the_glossary_says() -> None:
    said = {pair for message in messages() for pair in both_texts(message)}
    for code, *labels in rows_of("Actions"):
        english, spanish = ([re.sub(r" \(.*\)$", "", word) for word in words.split("; ")] for words in labels)
        assert set(zip(english, spanish, strict=True)) <= said, code
