"""The recipes of the shelf, each with fifty numbers at a fake that behaves as the provider's documentation says."""

from collections import Counter
from pathlib import Path

import pytest

from portal.causes import CauseCode, cause_for
from portal.sources.base import Answer, NoTickets, Outcome, SourceBusy, SourceStopped
from portal.sources.http.source import HttpSource
from portal.sources.recipes.folder import SHELF
from portal.sources.recipes.loader import read_recipe
from tests.support.provider import provider
from tests.support.recipes import LOOPBACK
from tests.support.shelf import NAMES, NO_CREDIT, NUMBERS, SECRETS, Pausing, ShelfFake, outcomes_of, recipe_at


def ask(source: HttpSource, numbers: list[str]) -> dict[str, Answer]:
    """All answers, as an attempt gets them: what asks again is asked again, four times."""
    session = source.open_session(lambda: False, NoTickets())
    answers: dict[str, Answer] = {}
    for _ in range(4):
        left = [one for one in numbers if one not in answers or cause_for(answers[one].reason).asks_again]
        for first in range(0, len(left), source.batch):
            answers.update(session.lookup_many(left[first : first + source.batch]))
    session.close()
    return answers


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_shelf_says_where_each_recipe_comes_from(name: str) -> None:
    recipe = read_recipe(SHELF / f"{name}.toml")
    shelf = recipe.shelf
    assert shelf is not None and shelf.documentation.startswith("https://") and shelf.read
    assert {"en", "es"} == set(shelf.coverage) == set(shelf.price)
    assert set(shelf.keys) == set(recipe.secrets)


def test_fifty_numbers_come_out_right_and_at_the_right_cost(name: str, tmp_path: Path) -> None:
    fake = ShelfFake(name)
    with provider(fake) as server:
        made = recipe_at(name, server.url, tmp_path)
        source = HttpSource(made, SECRETS, allow_private=LOOPBACK, make_limiter=lambda rate: Pausing())
        answers = ask(source, NUMBERS)
    assert Counter(answer.outcome for answer in answers.values()) == outcomes_of(name)
    assert sum(answer.cost for answer in answers.values()) == fake.spent
    assert set(fake.answers.values()) <= {1}


def test_too_many_requests_cost_nothing_and_no_number(name: str, tmp_path: Path) -> None:
    fake = ShelfFake(name)
    fake.throttled = 2
    with provider(fake) as server:
        made = recipe_at(name, server.url, tmp_path)
        limiter = Pausing()
        source = HttpSource(made, SECRETS, allow_private=LOOPBACK, make_limiter=lambda rate: limiter)
        answers = ask(source, NUMBERS[:5])
    assert {answer.outcome for answer in answers.values()} == {Outcome.FOUND}
    assert limiter.reports.count(CauseCode.RATE_LIMITED) == 2 and set(fake.answers.values()) == {1}


def stops(name: str, fake: ShelfFake, folder: Path, secrets: dict[str, str] = SECRETS) -> str:
    """Why the source stops, at most after three requests."""
    with provider(fake) as server:
        source = HttpSource(recipe_at(name, server.url, folder), secrets, allow_private=LOOPBACK)
        session = source.open_session(lambda: False, NoTickets())
        with pytest.raises((SourceStopped, SourceBusy)) as stopped:
            for first in range(0, len(NUMBERS), 10):
                session.lookup_many(NUMBERS[first : first + min(10, source.batch)])
        assert len(server.asked) <= 5 and not fake.spent
    return str(stopped.value.reason)


def test_a_wrong_key_stops_it(name: str, tmp_path: Path) -> None:
    secrets = dict.fromkeys(SECRETS, "wrong")
    wanted = CauseCode.BLOCKED if name == "lista-robinson" else CauseCode.CREDENTIALS
    assert stops(name, ShelfFake(name), tmp_path, secrets) == wanted


@pytest.mark.parametrize("name", NO_CREDIT)
def test_credit_that_ends_stops_it(name: str, tmp_path: Path) -> None:
    fake = ShelfFake(name)
    fake.no_credit = True
    assert stops(name, fake, tmp_path) == CauseCode.NO_CREDIT


def test_an_outage_costs_nothing(name: str, tmp_path: Path) -> None:
    fake = ShelfFake(name)
    fake.down = True
    with provider(fake) as server:
        source = HttpSource(recipe_at(name, server.url, tmp_path), SECRETS, allow_private=LOOPBACK)
        session = source.open_session(lambda: False, NoTickets())
        assert {one.reason for one in session.lookup_many(NUMBERS[:2]).values()} == {CauseCode.TEMPORARY}
        fake.down = False
        assert {one.outcome for one in ask(source, NUMBERS[:2]).values()} == {Outcome.FOUND}
