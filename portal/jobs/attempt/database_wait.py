"""Repeats a transaction of an attempt while the database is away, with everything that it has to write still in hand.

A restart of the database, a lock or a full disk must cost neither an answer nor a retry. There is no last try: an
attempt whose lease ended meanwhile is told so by the fence, at the first try that the database answers, and until then
nobody else can do better with these answers.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from portal.database import db
from portal.database_errors import is_away

log = structlog.get_logger(__name__)

T = TypeVar("T")
FIRST_SECONDS, LONGEST_SECONDS = 0.5, 5.0  # between two tries; the wait doubles


def _never() -> bool:
    return False


def roll_back() -> None:
    """Make the session usable again after an error, even when the database is away."""
    with suppress(SQLAlchemyError):
        db.session.rollback()


def until_back(
    act: Callable[[bool], T], reset: Callable[[], object] = roll_back, stopped: Callable[[], bool] = _never
) -> T:
    """Return what `act` returns, and repeat it as long as the database is away.

    `act` is one whole transaction. It is called with False at first and with True when it is repeated: the try before
    may have been committed, because a connection can break between a commit and its confirmation. `reset` is called
    after each failed try. Raises what `act` raises for any other reason, and, once `stopped()` is true, also what it
    raises because the database is away.
    """
    seconds, repeated = FIRST_SECONDS, False
    while True:
        try:
            return act(repeated)
        except SQLAlchemyError as error:
            reset()
            if not is_away(error) or stopped():
                raise
            if not repeated:
                log.warning("the database is away; trying again", error=str(error))
        time.sleep(seconds)
        seconds, repeated = min(LONGEST_SECONDS, 2 * seconds), True
