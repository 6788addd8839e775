"""The contract of every source. To test a new source, register it and add a line to NUMBERS."""

import json
import pickle
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from portal import sources
from portal.causes import CauseCode
from portal.sources.base import (
    FINAL,
    Answer,
    LookupEnded,
    NoTickets,
    Outcome,
    Source,
    SourceFacts,
    open_session,
)
from tests.support.misbehaving import misbehaving
from tests.support.recipes import KINDS, recipe, registered

# Numbers that a source answers without a network: valid ones, and ones that are in no numbering plan.
NUMBERS = {
    "offline": (
        *(f"+346{n:08d}" for n in range(12_000_000, 12_000_060)),
        *(f"+349{n}2345678"[:12] for n in range(1, 9)),
        "+34800123456", "+34612", "+349999999999", "+999123456", "+14155552671", "+80012345678", "+5491123456789",
        "rubbish", "", "+",
    ),
}  # fmt: skip


BY_RECIPE = tuple(f"{kind}-test" for kind in KINDS)
NUMBERS |= dict.fromkeys(BY_RECIPE, tuple(f"+346{n:08d}" for n in range(12_000_000, 12_000_030)))


@pytest.fixture(params=(*sources.names(), *BY_RECIPE))
def name(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A source's name. Those of recipes use the test's own server."""
    if request.param not in BY_RECIPE:
        yield str(request.param)
        return
    kind = request.param.removesuffix("-test")
    with misbehaving() as server, registered(recipe(tmp_path, kind, server.url, rate="10000/s")):
        yield str(request.param)


@pytest.fixture
def source(name: str) -> Source:
    return sources.get(name)


@pytest.fixture
def answers(name: str, source: Source) -> Iterator[dict[str, Answer]]:
    yield {e164: source.lookup(e164) for e164 in NUMBERS[name]}


class TestEverySource:
    def test_has_the_name_it_is_registered_under(self, name: str, source: Source) -> None:
        assert source.name == name

    def test_has_the_same_facts_before_it_is_created(self, name: str, source: Source) -> None:
        facts = sources.facts_of(name)
        assert isinstance(facts, SourceFacts)
        assert sources.fields_of(name) == source.fields
        assert sources.data_version(name) == source.data_version
        assert facts.concurrency == source.concurrency
        assert sources.seconds_for(name, 5000) == source.seconds_for(5000)

    def test_has_fields_each_once_and_a_data_version(self, source: Source) -> None:
        assert source.fields
        assert len(set(source.fields)) == len(source.fields)
        assert source.data_version
        assert source.concurrency >= 1

    def test_takes_longer_for_more(self, source: Source) -> None:
        assert 0 == source.seconds_for(0) < source.seconds_for(1) < source.seconds_for(5000)

    def test_finds_some_and_gives_reasons_for_the_rest(self, answers: dict[str, Answer]) -> None:
        assert any(answer.outcome == Outcome.FOUND for answer in answers.values())
        for e164, answer in answers.items():
            assert answer.outcome in FINAL, e164
            if answer.outcome == Outcome.INVALID:
                assert answer.reason, e164

    def test_answers_with_its_own_fields_in_text(self, source: Source, answers: dict[str, Answer]) -> None:
        for answer in answers.values():
            assert set(answer.fields) <= set(source.fields)
            assert all(type(value) is str for value in answer.fields.values())

    def test_answers_the_same_when_asked_again(self, name: str, source: Source, answers: dict[str, Answer]) -> None:
        assert {e164: source.lookup(e164) for e164 in reversed(NUMBERS[name])} == answers

    def test_answers_can_be_stored(self, answers: dict[str, Answer]) -> None:
        for answer in answers.values():
            assert json.loads(json.dumps(dict(answer.fields))) == dict(answer.fields)
            assert pickle.loads(pickle.dumps(answer)) == answer

    def test_answers_the_same_from_several_threads(self, name: str, source: Source, answers: dict[str, Answer]) -> None:
        with ThreadPoolExecutor(max(source.concurrency, 4)) as pool:
            asked = list(NUMBERS[name]) * 4
            assert list(pool.map(source.lookup, asked)) == [answers[e164] for e164 in asked]

    def test_says_whom_it_asks_about_a_moment_before(self, name: str, source: Source) -> None:
        session, size, _ = open_session(source, lambda: False, NoTickets())
        noted: list[str] = []

        def note(numbers: Sequence[str], sent: bool) -> bool:
            noted.extend(numbers)
            return sent

        session.note_sent = note
        answered = session.lookup_many(NUMBERS[name][:size])
        assert answered and noted == list(answered)

    def test_asks_about_no_number_that_it_may_not(self, name: str, source: Source) -> None:
        session, size, _ = open_session(source, lambda: False, NoTickets())
        session.note_sent = lambda numbers, sent: False
        assert session.lookup_many(NUMBERS[name][:size]) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_answered_before_a_refusal_is_returned(kind: str, tmp_path: Path) -> None:
    """Seven numbers are paid for and answered, whichever way the source takes them; then the credit ends."""
    numbers = [f"+3461200{n:04d}" for n in range(20)]
    with misbehaving() as server, registered(recipe(tmp_path, kind, server.url)) as source:
        server.credit, server.polls_before_ready = 7, 0
        session, size, _ = open_session(source, lambda: False, NoTickets())
        answers: dict[str, Answer] = {}
        reason = ""
        for first in range(0, len(numbers), size):
            try:
                answers |= session.lookup_many(numbers[first : first + size])
            except LookupEnded as ended:
                answers |= ended.answers
                reason = ended.reason
                break
        assert reason == CauseCode.NO_CREDIT
        assert [number for number in numbers if number in answers and answers[number].outcome in FINAL] == numbers[:7]
        assert server.paid.total() == 7


def test_an_unregistered_source_is_unknown() -> None:
    for ask in (sources.get, sources.fields_of, sources.data_version, sources.facts_of):
        with pytest.raises(sources.UnknownSource):
            ask("nobody")
    with pytest.raises(sources.UnknownSource):
        sources.seconds_for("nobody", 1)


def test_a_source_without_facts_is_created_for_them() -> None:
    made = []

    class Small:
        name, fields, concurrency, data_version = "small", ("seen",), 3, "1"

        def __init__(self) -> None:
            made.append(self)

        def lookup(self, e164: str) -> Answer:
            return Answer(Outcome.FOUND, {"seen": e164})

        def seconds_for(self, numbers: int) -> float:
            return numbers**2.0

    sources.register("small", Small)
    try:
        assert "small" in sources.names() and not made
        assert sources.facts_of("small").concurrency == 3
        assert sources.seconds_for("small", 10) == 100
        assert sources.get("small") is made[0] and len(made) == 1
    finally:
        sources.unregister("small")
    assert "small" not in sources.names()
