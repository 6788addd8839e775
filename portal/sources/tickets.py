"""What a source has taken and not answered yet, and who remembers it. Pure: it knows no database and no job.

A ticket is paid for when it is given. Whoever runs an attempt hands in a `Tickets` that outlives the attempt, so that
the next one fetches what this one handed in instead of handing it in again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class HandedIn:
    """A batch of numbers and the source's ticket for it. Without a ticket, whether it was taken is not known."""

    key: str  # ours, and its own for each batch: {batch_key} in a recipe
    numbers: tuple[str, ...]  # in the order in which they were sent
    ticket: str | None = None
    age_seconds: float = 0.0  # when the attempt began


class Tickets(Protocol):
    """One attempt's memory of what was handed in. Its methods may be called from many threads at once."""

    def open(self) -> Sequence[HandedIn]:
        """What earlier attempts handed in and nobody has fetched, the oldest first."""

    def keep(self, batch: HandedIn) -> None:
        """Remember this batch, or its ticket, before anything else is done. Raises when the attempt is over."""

    def fetched(self, batch: HandedIn) -> None:
        """Its answers are there: it is forgotten in the moment in which they are saved."""

    def drop(self, batch: HandedIn, *, lost: bool) -> None:
        """Forget it now: nothing will come of it. `lost`: it had been taken, and its numbers are asked for anew."""


class Unkept:
    """Remembers nothing: for a single try by hand."""

    def open(self) -> Sequence[HandedIn]:
        return ()

    def keep(self, batch: HandedIn) -> None: ...

    def fetched(self, batch: HandedIn) -> None: ...

    def drop(self, batch: HandedIn, *, lost: bool) -> None: ...
