"""One number tried at a source: a page asks for it, a worker does it, and the page finds the result in Redis.

No request of a page waits for a source, and no web process loads the offline source's tables. What is kept is for ten
minutes and for the admin who asked: its name cannot be guessed. A try that is lost with its worker or with Redis is
not done again: the page says so, and a person may.
"""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from redis.exceptions import RedisError

from portal import sources
from portal.clock import utcnow
from portal.jobs.dispatch import connection, push_trial
from portal.sources import catalogue
from portal.sources.trial import TRY_SECONDS, Trial, as_plain, from_plain, try_source

log = structlog.get_logger(__name__)

KEPT_SECONDS = 600
SLOW = timedelta(seconds=5)  # without a worker's sign, the page says what that may be
LOST = timedelta(seconds=120)  # a worker may read a file for a while; after that nobody waits any more


class RedisAway(Exception):
    """Redis does not answer: nothing can be handed to a worker."""


@dataclass(frozen=True)
class TrialState:
    """How a try stands. `trial` is None while it is under way, and when nothing is known of it any more."""

    token: str
    number: str = ""
    trial: Trial | None = None
    waiting: bool = False
    slow: bool = False  # no worker has taken it up yet
    away: bool = False


def begin(source: str, number: str, now: datetime) -> str:
    """Hand one number (E.164) to a worker, and give the token by which the result is found. Raises Away."""
    token = secrets.token_urlsafe(18)
    asked = {"source": source, "number": number, "asked_at": now.isoformat()}
    try:
        connection().set(_key(token), json.dumps(asked), ex=KEPT_SECONDS)
    except (RedisError, OSError) as error:
        raise RedisAway from error
    if not push_trial(token):
        raise RedisAway
    return token


def run(token: str) -> None:
    """What the worker does: ask, and leave the result. Raises RedisError when Redis is away."""
    redis = connection()
    kept = redis.get(_key(token))
    if kept is None:
        return
    asked = json.loads(kept)
    redis.set(_key(token), json.dumps({**asked, "taken_at": utcnow().isoformat()}), ex=KEPT_SECONDS)
    catalogue.refresh()
    try:
        trial = try_source(asked["source"], asked["number"])
    except sources.UnknownSource:
        trial = Trial(asked["number"], reason="source_unknown")
    except Exception:  # whoever waits for it hears of it
        log.exception("a try failed", source=asked["source"])
        trial = Trial(asked["number"], reason="source_error")
    redis.set(_key(token), json.dumps({**asked, "trial": as_plain(trial)}), ex=KEPT_SECONDS)


def look(source: str, token: str, now: datetime) -> TrialState:
    """How a try of this source stands."""
    try:
        kept = connection().get(_key(token))
    except (RedisError, OSError):
        return TrialState(token, away=True)
    asked = json.loads(kept) if kept else {}
    if asked.get("source") != source:
        return TrialState(token)
    if "trial" in asked:
        return TrialState(token, asked["number"], from_plain(asked["trial"]))
    since = datetime.fromisoformat(asked.get("taken_at", asked["asked_at"]))
    taken = "taken_at" in asked
    waiting = now - since < (timedelta(seconds=3 * TRY_SECONDS) if taken else LOST)
    return TrialState(token, asked["number"], waiting=waiting, slow=not taken and now - since > SLOW)


def _key(token: str) -> str:
    return f"trial:{token}"
