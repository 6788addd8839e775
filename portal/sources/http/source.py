"""A source that a recipe describes. Opens the session of an attempt; what happens in it is in `session`."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

from redis import Redis

from portal.causes import CauseCode
from portal.net import guarded_session
from portal.sources.base import Answer, NoTickets, Outcome, SourceFacts, Tickets
from portal.sources.http.before_requests import BeforeRequests
from portal.sources.http.client import SourceClient
from portal.sources.http.pricing import amount_at
from portal.sources.http.robots import Robots
from portal.sources.http.session import SourceSession
from portal.sources.limits.balance import Balance, BalanceNote
from portal.sources.limits.circuit_breaker import CircuitBreaker
from portal.sources.limits.concurrency_limiter import ConcurrencyLimiter
from portal.sources.limits.interfaces import Breaker, Limiter
from portal.sources.limits.kept_values import Cipher, KeptValues
from portal.sources.limits.rate_limiter import RateLimiter
from portal.sources.recipes.model import Recipe

TRIES = 4  # three during the attempt, and one after all other numbers have their answer

# What one worker can keep going: requests in flight, and requests a second.
PLACES_OF_A_WORKER, REQUESTS_OF_A_WORKER = 32, 300.0


class HttpSource:
    """An API or a web page, as its recipe describes it.

    `environ` has the secrets, and `present_secrets` gives those that have been changed since; `cipher` encrypts what
    all workers share; `allow_private` and
    `ports` are what the server's configuration opens to sources. The other arguments replace parts in tests.
    """

    tries = TRIES

    def __init__(
        self,
        recipe: Recipe,
        environ: Mapping[str, str],
        redis: Redis | None = None,
        allow_private: Sequence[str] = (),
        ports: Sequence[int] = (),
        client: SourceClient | None = None,
        make_limiter: Callable[[float | None], Limiter] | None = None,
        breaker: Breaker | None = None,
        present_secrets: Callable[[], Mapping[str, str]] | None = None,
        cipher: Cipher | None = None,
        proxy: str = "",
    ) -> None:
        facts = facts_of(recipe)
        self.recipe = recipe
        self.name, self.fields = recipe.name, facts.fields
        self.concurrency, self.data_version, self.batch = facts.concurrency, facts.data_version, facts.batch
        self.seconds_for = facts.seconds_for
        self._environ, self._present_secrets = environ, present_secrets
        asked = [recipe.request, *([recipe.batch.request] if recipe.batch else [])]
        self.answer_seconds = max(request.timeout_seconds for request in asked)
        self.answer_seconds += sum(one.request.timeout_seconds for one in recipe.before)
        redirects = max(request.redirects for request in recipe.requests)
        self._client = client or SourceClient(
            lambda: guarded_session.session(allow_private, self.concurrency, redirects, ports, proxy)
        )
        self._make_limiter = make_limiter or (lambda rate: RateLimiter(redis, recipe.name, rate))
        self._make_places = lambda: ConcurrencyLimiter(redis, recipe.name, recipe.limits.concurrency)
        self._breaker: Breaker = breaker or CircuitBreaker(redis, recipe.name)
        self._robots = Robots(self._client.send)
        self._balance = BalanceNote(redis, recipe.name)
        self._before = BeforeRequests(recipe, KeptValues(redis, recipe.name, cipher))

    def wrap_client(self, wrap: Callable[[SourceClient], SourceClient]) -> None:
        """Put another client around the one that sends, for example to record what it sends."""
        self._client = wrap(self._client)
        self._robots = Robots(self._client.send)

    def open_session(self, stop: Callable[[], bool], tickets: Tickets) -> SourceSession:
        """A session for one attempt."""
        return SourceSession(
            self.recipe,
            self._environ,
            self._client,
            self._make_limiter,
            self._breaker,
            self._robots,
            stop,
            self._make_places(),
            self._present_secrets,
            self._before,
            balance=self._balance,
            tickets=tickets,
        )

    def ask_balance(self) -> Balance | None:
        """Ask for the credit that is left, note it, and return it. None: the recipe does not say how, or the answer
        does not tell. Raises as a session's `ask`."""
        if self.recipe.balance is None:
            return None
        with closing(self.open_session(lambda: False, NoTickets())) as session:
            response = session.ask(self.recipe.balance.request, ())
        amount = amount_at(self.recipe.balance.field, response)
        if amount is None:
            return None
        self._balance.note(amount)
        return self._balance.last()

    def lookup(self, e164: str) -> Answer:
        """The answer for one number, from a single try."""
        with closing(self.open_session(lambda: False, NoTickets())) as session:
            return session.lookup_many([e164]).get(e164) or Answer(Outcome.FAILED, reason=CauseCode.TEMPORARY)


def facts_of(recipe: Recipe) -> SourceFacts:
    """What the portal knows about a recipe's source without creating it."""
    return SourceFacts(
        fields=tuple(field.name for field in recipe.fields),
        concurrency=recipe.limits.concurrency,
        data_version=f"recipe {recipe.version}",
        seconds_per_number=recipe.seconds_per_number,
        title=recipe.title,
        description=recipe.description,
        labels={field.name: field.label for field in recipe.fields if field.label},
        yes_no=frozenset(field.name for field in recipe.fields if field.type == "bool" and not field.map),
        per_second=recipe.limits.per_second,
        batch=recipe.batch.size if recipe.batch else 1,
        cache_days=recipe.limits.cache_days,
        workers=_most_workers(recipe),
        price=recipe.cost.price if recipe.cost and not recipe.cost.price_path else None,
        price_per=recipe.cost.per if recipe.cost else "asked",
        currency=recipe.cost.currency if recipe.cost else "",
        most=recipe.cost.most if recipe.cost else None,
        is_priced=bool(recipe.cost and (recipe.cost.price or recipe.cost.price_path)),
        has_balance=bool(recipe.balance or (recipe.cost and recipe.cost.balance)),
        warn_below=recipe.balance.warn_below if recipe.balance else recipe.cost.warn_below if recipe.cost else None,
        countries=recipe.only.countries if recipe.only else frozenset(),
        lines=recipe.only.lines if recipe.only else frozenset(),
        example=_example_of(recipe),
    )


def _example_of(recipe: Recipe) -> Callable[[str], Mapping[str, str]] | None:
    """The fields that the recipe's first test with an answer expects, for any number."""
    found = next((case.expect for case in recipe.tests if case.expect and case.outcome in ("", Outcome.FOUND)), None)
    return None if found is None else lambda _: found


def _most_workers(recipe: Recipe) -> int:
    """How many workers can look up one file's numbers faster than fewer can. A source that prepares its answers has
    one: what it was handed is fetched by whoever handed it in."""
    if recipe.batch and recipe.batch.poll:
        return 1
    by_places = math.ceil(recipe.limits.concurrency / PLACES_OF_A_WORKER)
    rate = recipe.limits.per_second
    return min(by_places, math.ceil(rate / REQUESTS_OF_A_WORKER)) if rate else by_places
