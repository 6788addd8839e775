"""Tries one number at a source: a page requests it, a worker runs it, and the page finds the result in Redis.

No page's request waits for a source, and no web process loads the offline source's tables. A result is kept for ten
minutes, for the admin who asked: its token cannot be guessed. A trial that is lost with its worker or with Redis is not
run again: the page says so, and the person may repeat it.
"""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from redis.exceptions import RedisError

from portal import audit, sources
from portal.causes import CauseCode
from portal.clock import utcnow
from portal.database import db
from portal.jobs.dispatch import connection, push_trial
from portal.sources import catalogue
from portal.sources.trial import TRY_SECONDS, Trial, from_dict, to_dict, try_source

log = structlog.get_logger(__name__)

KEPT_SECONDS = 600
SLOW = timedelta(seconds=5)  # if no worker has taken it by then, the page says why that may be
LOST = timedelta(seconds=120)  # a worker may be reading a file first; after that the trial counts as lost


class RedisAway(Exception):
    """Redis does not answer, so no worker can be reached."""


@dataclass(frozen=True)
class TrialState:
    """The state of a trial. `trial` is None while it runs, and when it is no longer known."""

    token: str
    number: str = ""
    trial: Trial | None = None
    waiting: bool = False
    slow: bool = False  # no worker has taken it yet
    away: bool = False


def start(source: str, number: str, actor: str, now: datetime) -> str:
    """Hand one number (E.164) to a worker, and return the token of the result. Goes to the audit, without the number,
    also when Redis fails meanwhile: a lookup may cost money. Commits. Raises RedisAway."""
    audit.note(actor, "number_tried", "source", source, None, now)
    db.session.commit()
    token = secrets.token_urlsafe(18)
    request = {"source": source, "number": number, "asked_at": now.isoformat()}
    try:
        connection().set(_key(token), json.dumps(request), ex=KEPT_SECONDS)
    except (RedisError, OSError) as error:
        raise RedisAway from error
    if not push_trial(token):
        raise RedisAway
    return token


def run(token: str) -> None:
    """Run the trial in the worker, and store the result. Raises RedisError when Redis is away."""
    redis = connection()
    kept = redis.get(_key(token))
    if kept is None:
        return
    request = json.loads(kept)
    redis.set(_key(token), json.dumps({**request, "taken_at": utcnow().isoformat()}), ex=KEPT_SECONDS)
    catalogue.refresh()
    try:
        trial = try_source(request["source"], request["number"])
    except sources.UnknownSource:
        trial = Trial(request["number"], reason=CauseCode.SOURCE_UNKNOWN)
    except Exception:  # the page that waits shows it
        log.exception("a trial failed", source=request["source"])
        trial = Trial(request["number"], reason=CauseCode.SOURCE_ERROR)
    redis.set(_key(token), json.dumps({**request, "trial": to_dict(trial)}), ex=KEPT_SECONDS)


def state_of(source: str, token: str, now: datetime) -> TrialState:
    """Return the state of a trial of this source."""
    try:
        kept = connection().get(_key(token))
    except (RedisError, OSError):
        return TrialState(token, away=True)
    try:
        return _read(source, token, json.loads(kept) if kept else {}, now)
    except (ValueError, TypeError, KeyError, AttributeError):  # not as we wrote it: what is in Redis is not trusted
        return TrialState(token)


def _read(source: str, token: str, request: dict[str, Any], now: datetime) -> TrialState:
    if request.get("source") != source:
        return TrialState(token)
    if "trial" in request:
        return TrialState(token, str(request["number"]), from_dict(request["trial"]))
    since = datetime.fromisoformat(request.get("taken_at", request["asked_at"]))
    taken = "taken_at" in request
    waiting = now - since < (timedelta(seconds=3 * TRY_SECONDS) if taken else LOST)
    return TrialState(token, request["number"], waiting=waiting, slow=not taken and now - since > SLOW)


def _key(token: str) -> str:
    return f"trial:{token}"
