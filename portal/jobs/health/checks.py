"""Health checks of the portal: one probe for each part that it needs, each with its limits.

The administrators' page shows the findings of all probes, `/metrics` has them as figures, `/readyz` names the vital
ones that are bad, and `flask doctor` prints some of them beside checks of its own. A probe only reads, and returns
codes and numbers: the sentences are in `words` and in `cli.doctor`.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from flask import current_app
from redis import Redis
from redis.exceptions import RedisError, ResponseError
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from portal.database import among, db
from portal.jobs import queries
from portal.jobs.dispatch import connection
from portal.jobs.health import hosts, processes, queues, sources
from portal.jobs.health.processes import WorkerKind, WorkerProcess
from portal.notices import mail_refusals
from portal.notices.models import Delivery, Notice
from portal.redis_client import prefix_of

MB = 1024 * 1024
DISK_WARN_BYTES, DISK_BAD_BYTES = 1024 * MB, 200 * MB  # free
KEEPS_ALL = "noeviction"  # the policy of a server that refuses writes when it is full
REDIS_SECONDS = 1  # to answer in
SLOW_SECONDS = 0.5
SKEW_SECONDS = 5  # that a machine's clock may be off: the portal goes by the database's
LONG_WAIT = {"intake": timedelta(minutes=5), "scrape": timedelta(minutes=30)}
LATE_NOTICE = timedelta(minutes=15)
UNDELIVERED_SHOWN = timedelta(days=7)


class HealthState(StrEnum):
    """The state of one part."""

    WELL = "well"
    WARN = "warn"  # it works, but somebody should check it
    BAD = "bad"  # something has stopped


@dataclass(frozen=True)
class HealthFinding:
    """One part of the portal, with the facts for its sentence. `error` in them is why the part could not be checked."""

    part: str
    state: HealthState
    facts: dict[str, Any] = field(default_factory=dict)


def findings(now: datetime) -> list[HealthFinding]:
    """Return a finding for every part, in the order in which work passes through them. Raises SQLAlchemyError without
    the database: there is no page then to show them on."""
    found = [one for probe in PROBES.values() for one in probe(now)]
    return found if len(hosts.hosts(now)) > 1 else [one for one in found if one.part not in OF_SEVERAL_MACHINES]


def finding(part: str, now: datetime) -> HealthFinding:
    """Return the finding for one part (one of SINGLE), even if others are away. It ends the session's transaction,
    which on SQLite would block all writers."""
    try:
        (found,) = PROBES[part](now)
    except (SQLAlchemyError, RedisError, OSError) as error:
        return HealthFinding(part, HealthState.BAD, {"error": error})
    finally:
        db.session.rollback()
    return found


def findings_there(now: datetime) -> Iterator[HealthFinding]:
    """Return a finding for every part, also when some cannot be checked: of several parts that one probe finds (the
    workers, the queues), those are then left out. It ends the session's transaction."""
    for name, probe in PROBES.items():
        if name in SINGLE:
            yield finding(name, now)
            continue
        try:
            yield from list(probe(now))
        except (SQLAlchemyError, RedisError, OSError):
            continue
        finally:
            db.session.rollback()


def parts_missing(now: datetime) -> list[str]:
    """Return the vital parts that are bad, for /readyz. What only the database knows of other machines is not missing
    here when the database is."""
    bad = [part for part in VITAL if finding(part, now).state == HealthState.BAD]
    return [part for part in bad if part not in BESIDE_OTHERS] if "database" in bad else bad


def _workers(now: datetime) -> Iterator[HealthFinding]:
    here: list[WorkerProcess] = processes.workers(now)
    there = {kind: [one for one in here if one.kind == kind and processes.is_alive(one, now)] for kind in WorkerKind}
    hung = {one.name for one in processes.hung(now)}
    for kind in (WorkerKind.SCRAPE, WorkerKind.INTAKE, WorkerKind.SWEEP, WorkerKind.SCHEDULER):
        state = HealthState.WELL if there[kind] else HealthState.BAD
        if kind == WorkerKind.SWEEP and not there[kind] and there[WorkerKind.SCHEDULER]:
            state = HealthState.WARN  # the scheduler runs the sweep in its own process
        busy = sum(one.doing is not None for one in there[kind])
        stuck = sum(one.name in hung for one in there[kind])
        if stuck:
            state = HealthState.BAD if stuck == len(there[kind]) else HealthState.WARN
        yield HealthFinding(f"workers_{kind}", state, {"n": len(there[kind]), "busy": busy, "hung": stuck})


def _sweep(now: datetime) -> Iterator[HealthFinding]:
    last = queries.last_sweep(now)
    yield HealthFinding("sweep", HealthState.BAD if last.late else HealthState.WELL, {"at": last.ended_at})


def _queues(now: datetime) -> Iterator[HealthFinding]:
    for queue in queues.queues(now):
        long = queue.since is not None and now - queue.since > LONG_WAIT[queue.name]
        facts = {"n": queue.waiting, "since": queue.since, "messages": queue.messages}
        yield HealthFinding(f"queue_{queue.name}", HealthState.WARN if long else HealthState.WELL, facts)


def _redis(now: datetime) -> Iterator[HealthFinding]:
    """Check the queue server by a write: one that is full, or a read-only copy, answers a PING and takes no message.
    Bad with `refuses`: it answers, but takes none. A warning with `policy`: it may delete messages when it is full."""
    url, wait = current_app.config["REDIS_URL"], REDIS_SECONDS
    try:
        with Redis.from_url(url, socket_timeout=wait, socket_connect_timeout=wait) as redis:
            redis.set(f"{prefix_of(connection())}health", now.isoformat(), ex=60)
            memory = redis.info("memory")
    except ResponseError as error:
        yield HealthFinding("redis", HealthState.BAD, {"lengths": {}, "error": error, "refuses": True})
    except (RedisError, OSError) as error:
        yield HealthFinding("redis", HealthState.BAD, {"lengths": {}, "error": error})
    else:
        policy = str(memory.get("maxmemory_policy", KEEPS_ALL))
        evicts = policy != KEEPS_ALL and bool(memory.get("maxmemory"))
        facts: dict[str, Any] = {"lengths": queues.redis_lengths()} | ({"policy": policy} if evicts else {})
        yield HealthFinding("redis", HealthState.WARN if evicts else HealthState.WELL, facts)


def _database(now: datetime) -> Iterator[HealthFinding]:
    """Check the database. Bad without a `size`: it does not answer. Bad with one: it lacks the portal's tables."""
    size = None
    began = time.perf_counter()
    try:
        size = db.session.scalar(text(SIZE[db.engine.dialect.name]))
        seconds = time.perf_counter() - began
        db.session.execute(text("SELECT 1 FROM scraping_jobs LIMIT 1")).all()
    except SQLAlchemyError as error:
        yield HealthFinding("database", HealthState.BAD, {"size": size, "seconds": None, "error": error})
        return
    slow = seconds > SLOW_SECONDS
    facts = {"size": size, "seconds": seconds if slow else None}
    yield HealthFinding("database", HealthState.WARN if slow else HealthState.WELL, facts)


def _clock(now: datetime) -> Iterator[HealthFinding]:
    skews = processes.machine_skews(now)
    wrong = {host: seconds for host, seconds in skews.items() if abs(seconds) > SKEW_SECONDS}
    yield HealthFinding("clock", HealthState.WARN if wrong else HealthState.WELL, {"wrong": wrong})


def _disk(now: datetime) -> Iterator[HealthFinding]:
    folder: Path = current_app.config["PORTAL_DATA_DIR"]
    usage = shutil.disk_usage(folder)
    enough = HealthState.WELL if usage.free > DISK_WARN_BYTES else HealthState.WARN
    state = enough if usage.free > DISK_BAD_BYTES else HealthState.BAD
    yield HealthFinding("disk", state, {"free": usage.free, "total": usage.total})


def _storage(now: datetime) -> Iterator[HealthFinding]:
    """Check the storage. Bad with an `error`: it does not answer. Bad without: other machines do not see its files."""
    try:
        current_app.extensions["storage"].check()
    except OSError as error:
        yield HealthFinding("storage", HealthState.BAD, {"error": error})
    else:
        shared = hosts.shares_files(current_app.config, now)
        yield HealthFinding("storage", HealthState.WELL if shared else HealthState.BAD)


def _key(now: datetime) -> Iterator[HealthFinding]:
    """Check whether this machine has the key of the others: without it, it signs everybody out."""
    state = HealthState.WELL if hosts.has_others_key(current_app.config, now) else HealthState.BAD
    yield HealthFinding("key", state)


def _recipes(now: datetime) -> Iterator[HealthFinding]:
    """Check whether this machine offers what the others do."""
    missing = hosts.sources_missing(current_app.config, now)
    yield HealthFinding("recipes", HealthState.BAD if missing else HealthState.WELL, {"missing": missing})


def _sources(now: datetime) -> Iterator[HealthFinding]:
    healths = sources.all_healths(now)
    failing = [health.name for health in healths if health.state not in ("well", "unknown")]
    yield HealthFinding(
        "sources", HealthState.WARN if failing else HealthState.WELL, {"n": len(healths), "failing": failing}
    )


def _notices(now: datetime) -> Iterator[HealthFinding]:
    unsent = among(Notice.state, (Delivery.DUE, Delivery.SENDING))
    waiting = db.session.scalar(select(func.count()).select_from(Notice).where(unsent)) or 0
    since = db.session.scalar(select(func.min(Notice.due_at)).where(unsent, Notice.due_at <= now))
    dead = (Notice.state == Delivery.DEAD, Notice.created_at > now - UNDELIVERED_SHOWN)
    undelivered = db.session.scalar(select(func.count()).select_from(Notice).where(*dead)) or 0
    refused = mail_refusals.count()
    late = since is not None and now - since > LATE_NOTICE
    facts = {"n": waiting, "since": since if late else None, "undelivered": undelivered, "refused": refused}
    yield HealthFinding("notices", HealthState.WARN if late or undelivered or refused else HealthState.WELL, facts)


SIZE = {
    "postgresql": "SELECT pg_database_size(current_database())",
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
}
PROBES: dict[str, Callable[[datetime], Iterable[HealthFinding]]] = {
    "workers": _workers,
    "sweep": _sweep,
    "queues": _queues,
    "redis": _redis,
    "database": _database,
    "clock": _clock,
    "disk": _disk,
    "storage": _storage,
    "key": _key,
    "recipes": _recipes,
    "sources": _sources,
    "notices": _notices,
}
SINGLE = PROBES.keys() - {"workers", "queues"}  # these find several parts
OF_SEVERAL_MACHINES = ("key", "recipes")  # one machine alone lacks nothing that others have
# While one of them is bad, the portal is not ready.
BESIDE_OTHERS = ("storage", "key", "recipes")
VITAL = ("database", "redis", "disk", "sweep", *BESIDE_OTHERS)
