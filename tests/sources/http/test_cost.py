"""What lookups cost, exactly; which numbers are not asked about; a source that is left alone before its credit ends."""

from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import select

from portal.causes import CauseCode
from portal.database import db
from portal.jobs.attempt import runner
from portal.jobs.attempt.runner import Conditions
from portal.jobs.core.job_tables import Number
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.core.status import Status
from portal.sources.base import NoTickets, Outcome, SourceStopped
from portal.sources.http.source import HttpSource, facts_of
from portal.sources.limits.balance import BalanceNote
from portal.sources.recipes.coverage import is_covered
from portal.sources.recipes.loader import read_recipe
from portal.sources.recipes.model import Coverage, Recipe
from tests.sources.recipes.test_loader import GOOD, mistakes
from tests.support.cast import NOW, mobile
from tests.support.provider import Answered, Asked, provider
from tests.support.recipes import LOOPBACK, registered

TEXT = """
name = "priced"
kind = "json"
{more}
[request]
url = "{url}/hlr?n={{digits}}"
[limits]
rate = "5000/s"
cache = "{cache} days"
[outcome]
not_found = [{{ json = "state == 'unknown'" }}]
[fields]
operator = {{ path = "operator", required = true }}
{cost}
"""
NUMBERS = [f"+34{mobile(n)}" for n in range(10)]


def answer(asked: Asked) -> Answered:
    """The last digit decides: 7 is unknown, 9 is refused, all others are found."""
    number = asked.query["n"]
    if number.endswith("9"):
        return Answered({"error": "bad number"}, 422)
    said = {"price": "0.00450000", "spent": 0.1, "euros": "0,0123 EUR", "left": 5 - int(number[-1])}
    return Answered({"state": "unknown", **said} if number.endswith("7") else {"operator": "Orange", **said})


def recipe_of(folder: Path, url: str, cost: str, more: str = "", cache: int = 0) -> Recipe:
    path = folder / "my.toml"
    path.write_text(TEXT.format(url=url, cost=cost, more=more, cache=cache))
    return read_recipe(path)


def session_of(made: Recipe, redis: Redis | None = None) -> Any:
    return HttpSource(made, {}, redis, LOOPBACK).open_session(lambda: False, NoTickets())


@pytest.mark.parametrize(
    ("cost", "found", "unknown", "refused"),
    [
        ("price = 0.0045", 4_500_000, 4_500_000, 0),
        ('price = 0.0045\nper = "found"', 4_500_000, 0, 0),
        ('price = "price"', 4_500_000, 4_500_000, 0),
        ('price = "spent"', 100_000_000, 100_000_000, 0),
        ('price = "euros"', 12_300_000, 12_300_000, 0),
        ('price = "nowhere"', 0, 0, 0),
        ("price = 0", 0, 0, 0),
        ("price = 0.000000001", 1, 1, 0),
    ],
)
def test_an_answer_costs_what_the_recipe_says(
    cost: str, found: int, unknown: int, refused: int, tmp_path: Path
) -> None:
    with provider(answer) as server:
        session = session_of(recipe_of(tmp_path, server.url, f'[cost]\n{cost}\ncurrency = "EUR"'))
        costs = [session.lookup_many([number])[number].cost for number in NUMBERS]
    assert costs == [{"7": unknown, "9": refused}.get(number[-1], found) for number in NUMBERS]


def test_a_job_s_cost_is_that_of_its_numbers_and_a_kept_answer_is_free(app, alice, make_job, tmp_path: Path) -> None:
    now = Conditions(worker="w", lease_seconds=60, backoff=Backoff(), clock=lambda: NOW)
    with provider(answer) as server:
        made = recipe_of(tmp_path, server.url, '[cost]\nprice = "spent"\ncurrency = "USD"', cache=30)
        with registered(made):
            assert (facts_of(made).price, facts_of(made).currency) == (None, "USD")
            # One number stands twice: it is asked about once, and paid for once.
            job = make_job(alice, [number[3:] for number in [*NUMBERS, NUMBERS[0]]], source=made.name)
            assert runner.run(job.id, 0, now) == Status.COMPLETED
            again = make_job(alice, [number[3:] for number in NUMBERS], source=made.name)
            assert runner.run(again.id, 0, now) == Status.COMPLETED
    costs = db.session.scalars(select(Number.cost).where(Number.job_id == job.id).order_by(Number.no)).all()
    assert costs == [0 if number.endswith("9") else 100_000_000 for number in NUMBERS]
    assert (job.cost, again.cost) == (900_000_000, 0)


def test_each_item_of_a_batch_has_its_price(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(
        """
name = "lot"
kind = "batch"
[request]
url = "{url}/lot"
method = "POST"
body = '{"requests": [{numbers}]}'
[batch]
size = 80
each = '{"telephone_number": "{e164}"}'
items = "body.results"
key = "asked.telephone_number"
missing = "not_found"
[cost]
price = "credits_spent"
currency = "credits"
[fields]
operator = "operator"
"""
    )

    def lot(asked: Asked) -> Answered:
        sent = [one["telephone_number"] for one in asked.json["requests"]]
        return Answered(
            {"body": {"results": [
                {"asked": {"telephone_number": one}, "operator": "Orange", "credits_spent": 0.5 + n}
                for n, one in enumerate(sent) if n != 3
            ]}}
        )  # fmt: skip

    with provider(lot) as server:
        path = tmp_path / "my.toml"
        path.write_text(path.read_text().replace("{url}", server.url))
        answers = session_of(read_recipe(path)).lookup_many(NUMBERS)
    costs = [answers[number].cost for number in NUMBERS]
    assert costs == [0 if n == 3 else 500_000_000 + n * 10**9 for n in range(10)]


# ── the credit that is left ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_source_is_left_alone_before_its_credit_ends(tmp_path: Path, valkey: str) -> None:
    """The answers that came are kept: they are paid for."""
    with provider(answer) as server, Redis.from_url(valkey) as redis:
        redis.flushall()
        made = recipe_of(tmp_path, server.url, '[cost]\nbalance = "left"\nstop_below = 2.5\ncurrency = "EUR"')
        session = session_of(made, redis)
        with pytest.raises(SourceStopped, match=CauseCode.NO_CREDIT) as stopped:
            for number in NUMBERS:
                session.lookup_many([number])
        assert [answer.outcome for answer in stopped.value.answers.values()] == [Outcome.FOUND]
        assert len(server.asked) == 4  # with 5, 4, 3 and 2 left
        last = BalanceNote(redis, made.name).last()
        assert last is not None and str(last.amount) in ("5", "2")  # written once a second


# ── numbers that are not asked about ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("number", "countries", "lines", "covered"),
    [
        ("+34612345678", ("ES",), ("mobile",), True),
        ("+34912345678", ("ES",), ("mobile",), False),
        ("+34912345678", (), ("fixed",), True),
        ("+33612345678", ("ES",), (), False),
        ("+33612345678", (), ("mobile",), True),
        ("+14155552671", ("US",), ("mobile",), True),  # the plan does not tell mobile from fixed
        ("+34803123456", ("ES",), ("mobile", "fixed"), False),
    ],
)
def test_a_number_is_covered(number: str, countries: tuple[str, ...], lines: tuple[str, ...], covered: bool) -> None:
    assert is_covered(number, Coverage(frozenset(countries), frozenset(lines))) is covered


def test_what_is_not_covered_ends_unasked_and_free(app, alice, make_job, tmp_path: Path) -> None:
    with provider(answer) as server:
        made = recipe_of(
            tmp_path, server.url, '[cost]\nprice = 0.01\ncurrency = "EUR"',
            'only = { countries = ["ES"], lines = ["mobile"] }', cache=30,
        )  # fmt: skip
        with registered(made):
            job = make_job(alice, ["912345670", NUMBERS[0][3:], "+33612345678"], source=made.name)
            now = Conditions(worker="w", lease_seconds=60, backoff=Backoff(), clock=lambda: NOW)
            assert runner.run(job.id, 0, now) == Status.COMPLETED
    rows = db.session.execute(select(Number.e164, Number.outcome, Number.reason, Number.cost)).all()
    assert {row.e164: tuple(row[1:]) for row in rows} == {
        "+34912345670": (Outcome.REJECTED, CauseCode.NOT_COVERED, 0),
        NUMBERS[0]: (Outcome.FOUND, None, 10_000_000),
        "+33612345678": (Outcome.REJECTED, CauseCode.NOT_COVERED, 0),
    }
    assert len(server.asked) == 1 and job.retry_count == 0


@pytest.mark.parametrize(
    ("text", "key", "code"),
    [
        ('[cost]\nprice = 0.0045', "cost.currency", "missing"),
        ('[cost]\nprice = -1\ncurrency = "EUR"', "cost.price", "bad_amount"),
        ('[cost]\nprice = 0.00000000045\ncurrency = "EUR"', "cost.price", "bad_amount"),
        ('[cost]\nprice = nan\ncurrency = "EUR"', "cost.price", "bad_amount"),
        ('[cost]\nprice = true\ncurrency = "EUR"', "cost.price", "bad_amount"),
        ('[cost]\nprice = "a."\ncurrency = "EUR"', "cost.price", "bad_path"),
        ('[cost]\nprice = "a"\nper = "found"\ncurrency = "EUR"', "cost.per", "per_for_figure"),
        ('[cost]\nprice = 1\nper = "each"\ncurrency = "EUR"', "cost.per", "not_one_of"),
        ('[cost]\nprice = 1\ncurrency = "euro"', "cost.currency", "bad_currency"),
        ('[cost]\nprice = 1\ncurrency = "EUR"\nstop_below = 5', "cost.stop_below", "needs_balance"),
        ('[cost]\ncurrency = "EUR"', "cost.price", "missing"),
        ('[only]\ncountries = ["Spain"]', "only.countries", "bad_country"),
        ('[only]\ncountries = "ES"', "only.countries", "not_list"),
        ('[only]\nlines = ["cell"]', "only.lines", "bad_line_type"),
        ("[only]", "only", "empty_only"),
    ],
)  # fmt: skip
def test_a_mistake_has_its_key(text: str, key: str, code: str, tmp_path: Path) -> None:
    assert (key, code) in [(one.key, one.code) for one in mistakes(tmp_path, f"{GOOD}\n{text}\n")]
