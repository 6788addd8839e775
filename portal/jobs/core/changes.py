"""Announces on Redis, after the commit, which jobs have changed, so that open pages follow at once.

A message is only a hint: it carries ids, and whoever hears it reads the database. One that is lost, or that Redis does
not take, is made up for by the next one, or by the readers' own look at the database every few seconds. So it must
never hold up who changes a job: its time limits are short, and after a failure it is silent for a while.
"""

import json
import time
from collections.abc import Callable
from typing import NamedTuple

import structlog
from flask import current_app, has_app_context
from redis.exceptions import RedisError
from sqlalchemy import event
from sqlalchemy.orm import Session

from portal.database import db
from portal.redis_client import PortalRedis, prefix_of, quick_redis

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 1.0
SILENT_SECONDS = 3.0  # after a failure
_NOTED = "changed_jobs"


class Change(NamedTuple):
    """A job that has changed, and whose it is where that is known. `at_once`: more than its counters changed."""

    job_id: int
    owner_id: int | None = None
    at_once: bool = True


def channel(redis: PortalRedis) -> str:
    """Return the name of the channel that this portal's changes go through."""
    return f"{prefix_of(redis)}changes"


def note(job_id: int, owner_id: int | None = None, *, at_once: bool = True) -> None:
    """Remember in the transaction that the job changes; it is announced when the transaction is committed."""
    noted = db.session().info.setdefault(_NOTED, {})
    before = noted.get(job_id, Change(job_id, None, at_once=False))
    noted[job_id] = Change(job_id, owner_id or before.owner_id, at_once or before.at_once)


def read(message: bytes) -> list[Change]:
    """Return the changes of a message; none for anything else that somebody wrote into the channel."""
    try:
        return [
            Change(int(job_id), None if owner_id is None else int(owner_id), bool(at_once))
            for job_id, owner_id, at_once in json.loads(message)
        ]
    except (ValueError, TypeError):
        return []


class Announcer:
    """Publishes changes; silent for a while after Redis has failed."""

    def __init__(self, redis: PortalRedis, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis, self._clock = redis, clock
        self._silent_until = 0.0

    def announce(self, changes: list[Change]) -> None:
        """Publish these changes, or nothing while Redis is away."""
        if self._clock() < self._silent_until:
            return
        try:
            self._redis.publish(channel(self._redis), json.dumps(changes))
        except (RedisError, OSError) as error:
            self._silent_until = self._clock() + SILENT_SECONDS
            log.warning("redis is away; open pages follow a little later", error=str(error))


def _announcer() -> Announcer:
    found: Announcer | None = current_app.extensions.get("announcer")
    if found is None:
        settings = current_app.config
        redis = quick_redis(settings["REDIS_URL"], settings["REDIS_PREFIX"], seconds=TIMEOUT_SECONDS)
        found = current_app.extensions["announcer"] = Announcer(redis)
    return found


@event.listens_for(Session, "after_commit")
def _after_commit(session: Session) -> None:
    if session.in_nested_transaction():
        return
    noted: dict[int, Change] | None = session.info.pop(_NOTED, None)
    if noted and has_app_context() and current_app.config["LIVE"] == "stream":
        _announcer().announce(list(noted.values()))


@event.listens_for(Session, "after_rollback")
def _after_rollback(session: Session) -> None:
    if not session.in_nested_transaction():
        session.info.pop(_NOTED, None)
