"""A source that a recipe describes. It knows how to begin a conversation; what is said in it, `inquiry` knows."""

from collections.abc import Callable, Mapping, Sequence

from redis import Redis

from portal.causes import CauseCode
from portal.net import guarded_session
from portal.sources.base import Answer, NoTickets, Outcome, SourceFacts, Tickets
from portal.sources.http.client import SourceClient
from portal.sources.http.robots import Robots
from portal.sources.http.session import SourceSession
from portal.sources.limits.circuit_breaker import CircuitBreaker
from portal.sources.limits.interfaces import Breaker, Limiter
from portal.sources.limits.rate_limiter import RateLimiter
from portal.sources.recipes.model import Recipe

TRIES = 4  # three within the attempt, and one more when all other numbers have their answer


class HttpSource:
    """An API or a web page, as its recipe says."""

    tries = TRIES

    def __init__(
        self,
        recipe: Recipe,
        environ: Mapping[str, str],
        redis: Redis | None = None,
        allow_private: Sequence[str] = (),
        ports: Sequence[int] = (),
        asker: SourceClient | None = None,
        make_pace: Callable[[float | None], Limiter] | None = None,
        fuse: Breaker | None = None,
    ) -> None:
        facts = facts_of(recipe)
        self.recipe = recipe
        self.name, self.fields = recipe.name, facts.fields
        self.concurrency, self.data_version, self.batch = facts.concurrency, facts.data_version, facts.batch
        self.seconds_for = facts.seconds_for
        self._environ = environ
        requests = [recipe.request, *([recipe.batch.request] if recipe.batch else [])]
        redirects = max(request.redirects for request in requests)
        self._asker = asker or SourceClient(
            lambda: guarded_session.session(allow_private, pool_size=self.concurrency, redirects=redirects, ports=ports)
        )
        self._make_pace = make_pace or (lambda rate: RateLimiter(redis, recipe.name, rate))
        self._fuse: Breaker = fuse or CircuitBreaker(redis, recipe.name)
        self._robots = Robots(self._asker.send)

    def watch(self, around: Callable[[SourceClient], SourceClient]) -> None:
        """Put something around what sends, to look on."""
        self._asker = around(self._asker)
        self._robots = Robots(self._asker.send)

    def begin(self, stop: Callable[[], bool], tickets: Tickets) -> SourceSession:
        """A conversation for one attempt."""
        return SourceSession(
            self.recipe, self._environ, self._asker, self._make_pace, self._fuse, self._robots, stop, tickets
        )

    def lookup(self, e164: str) -> Answer:
        """The answer for one number, asked once."""
        return self.begin(lambda: False, NoTickets()).lookup_many([e164]).get(e164) or Answer(
            Outcome.FAILED, reason=CauseCode.TEMPORARY
        )


def facts_of(recipe: Recipe) -> SourceFacts:
    """What can be said of a recipe's source without making it."""
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
    )
