"""What batches need of a source's session: send a request, and judge an answer. `session.SourceSession` provides it.

A Protocol of its own, so that `batch` and `async_batch` do not import the session that imports them.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from portal.sources.base import Answer
from portal.sources.http.classify import Verdict
from portal.sources.http.response import SourceResponse
from portal.sources.recipes.model import Recipe, Request
from portal.sources.recipes.placeholders import Filled


class Exchange(Protocol):
    """One attempt's way to a source. Its methods may be called from many threads at once."""

    recipe: Recipe
    stop: Callable[[], bool]

    def filled(self, request: Request, numbers: Sequence[str], *, ticket: str = "", key: str = "") -> Filled:
        """The request with its placeholders filled. Raises SourceStopped when a secret is missing."""

    def exchange(self, filled: Filled, request: Request, *, fetching: bool = False) -> SourceResponse:
        """Send within the rate limit. Raises NoAnswer, RequestInterrupted, SourceBusy or SourceStopped."""

    def temporary(self) -> Answer:
        """The answer of a number that got none this time."""

    def answer(self, number: str, verdict: Verdict, reply: SourceResponse, where: Any = None) -> Answer:
        """One number's answer. `where` is its item in an answer about many."""

    def unreadable(self, reply: SourceResponse, why: str, rows: int = 1, number: str = "", where: Any = None) -> Answer:
        """The answer of numbers about which something unusable came."""
