"""What batches need from a source's session: send a request, and turn a response into answers.

`session.SourceSession` provides it. A Protocol of its own, so that `batch` and `async_batch` do not import the session
that imports them.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from portal.sources.base import Answer
from portal.sources.http.classify import Verdict
from portal.sources.http.response import SourceResponse
from portal.sources.recipes.model import Recipe, Request


class Exchange(Protocol):
    """One attempt's connection to a source. Its methods may be called from many threads at once."""

    recipe: Recipe
    stop: Callable[[], bool]

    def ask(
        self, request: Request, numbers: Sequence[str], *, ticket: str = "", key: str = "", fetching: bool = False
    ) -> SourceResponse:
        """Send a request about these numbers, or this ticket, and what has to be sent before it, within the rate limit.
        Raises NoResponse, RequestInterrupted, SourceBusy or SourceStopped."""

    def fetch(self, url: str, request: Request) -> SourceResponse:
        """Fetch the answers from an address that the source gave. Raises as `ask`."""

    def temporary(self, *, unsure: bool = False) -> Answer:
        """The answer for a number that got none this time; `unsure`: it may cost something all the same. Raises
        SourceBusy when the source now counts as down."""

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
