"""What batches need from a source's session: send a request, and turn a response into answers.

`session.SourceSession` provides it. A Protocol of its own, so that `batch` and `async_batch` do not import the session
that imports them.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from portal.sources.base import Answer
from portal.sources.http.classify import Verdict
from portal.sources.http.response import SourceResponse
from portal.sources.recipes.filling import FilledRequest
from portal.sources.recipes.model import Recipe, Request


class Exchange(Protocol):
    """One attempt's connection to a source. Its methods may be called from many threads at once."""

    recipe: Recipe
    stop: Callable[[], bool]

    def filled(self, request: Request, numbers: Sequence[str], *, ticket: str = "", key: str = "") -> FilledRequest:
        """The request with its placeholders filled in. Raises SourceStopped when a secret is missing."""

    def exchange(self, filled: FilledRequest, request: Request, *, fetching: bool = False) -> SourceResponse:
        """Send within the rate limit. Raises NoResponse, RequestInterrupted, SourceBusy or SourceStopped."""

    def temporary(self) -> Answer:
        """The answer for a number that got none this time. Raises SourceBusy when the source now counts as down."""

    def answer(self, number: str, verdict: Verdict, response: SourceResponse, content: Any = None) -> Answer:
        """One number's answer. `content` is its item in a response about many numbers."""

    def unreadable(
        self,
        response: SourceResponse,
        why: str,
        rows: int = 1,
        number: str = "",
        content: Any = None,
        *,
        stops: bool = False,
    ) -> Answer:
        """The answer for numbers whose response cannot be used. Raises SourceStopped when there are too many; `stops`:
        for the first one, if the source has not answered before."""
