"""Health checks of the portal: one finding for each part that it needs, for the administrators' page.

It only reads, and returns codes and numbers: the sentences are in `words`. A part that is away is a finding like any
other; only a missing database makes the checks themselves fail.
"""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from flask import current_app
from sqlalchemy import func, select, text

from portal.database import among, db
from portal.jobs import queries
from portal.jobs.health import processes, queues, sources
from portal.jobs.health.processes import WorkerKind, WorkerProcess
from portal.notices.models import Delivery, Notice

MB = 1024 * 1024
DISK_WARN_BYTES, DISK_BAD_BYTES = 1024 * MB, 200 * MB
SLOW_SECONDS = 0.5
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
    """One part of the portal, with the figures for its sentence."""

    part: str
    state: HealthState
    facts: dict[str, Any] = field(default_factory=dict)


def findings(now: datetime) -> list[HealthFinding]:
    """Return a finding for every part, in the order in which work passes through them."""
    here = processes.workers(now)
    return [
        *_workers(here, now), _sweep(now), *_queues(now), _redis(), _database(), _disk(), _sources(now), _notices(now),
    ]  # fmt: skip


def _workers(here: list[WorkerProcess], now: datetime) -> Iterator[HealthFinding]:
    there = {kind: [one for one in here if one.kind == kind and processes.is_alive(one, now)] for kind in WorkerKind}
    for kind in (WorkerKind.SCRAPE, WorkerKind.INTAKE, WorkerKind.SWEEP, WorkerKind.SCHEDULER):
        state = HealthState.WELL if there[kind] else HealthState.BAD
        if kind == WorkerKind.SWEEP and not there[kind] and there[WorkerKind.SCHEDULER]:
            state = HealthState.WARN  # the scheduler runs the sweep in its own process
        busy = sum(one.doing is not None for one in there[kind])
        yield HealthFinding(f"workers_{kind}", state, {"n": len(there[kind]), "busy": busy})


def _sweep(now: datetime) -> HealthFinding:
    last = queries.last_sweep(now, timedelta(minutes=current_app.config["SCRAPING_CHECK_INTERVAL"]))
    return HealthFinding("sweep", HealthState.BAD if last.late else HealthState.WELL, {"at": last.ended_at})


def _queues(now: datetime) -> Iterator[HealthFinding]:
    for queue in queues.queues(now):
        long = queue.since is not None and now - queue.since > LONG_WAIT[queue.name]
        facts = {"n": queue.waiting, "since": queue.since, "messages": queue.messages}
        yield HealthFinding(f"queue_{queue.name}", HealthState.WARN if long else HealthState.WELL, facts)


def _redis() -> HealthFinding:
    lengths = queues.redis_lengths()
    return HealthFinding("redis", HealthState.WELL if lengths else HealthState.BAD, {"lengths": lengths})


def _database() -> HealthFinding:
    began = time.perf_counter()
    if db.engine.dialect.name == "postgresql":
        size = db.session.scalar(text("SELECT pg_database_size(current_database())"))
    else:
        pages = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        size = db.session.scalar(text(pages))
    seconds = time.perf_counter() - began
    slow = seconds > SLOW_SECONDS
    return HealthFinding(
        "database", HealthState.WARN if slow else HealthState.WELL, {"size": size, "seconds": seconds if slow else None}
    )


def _disk() -> HealthFinding:
    folder: Path = current_app.config["PORTAL_DATA_DIR"]
    usage = shutil.disk_usage(folder)
    state = (
        HealthState.WELL
        if usage.free > DISK_WARN_BYTES
        else HealthState.WARN
        if usage.free > DISK_BAD_BYTES
        else HealthState.BAD
    )
    return HealthFinding("disk", state, {"free": usage.free, "total": usage.total})


def _sources(now: datetime) -> HealthFinding:
    healths = sources.all_healths(now)
    failing = [health.name for health in healths if health.state not in ("well", "unknown")]
    return HealthFinding(
        "sources", HealthState.WARN if failing else HealthState.WELL, {"n": len(healths), "failing": failing}
    )


def _notices(now: datetime) -> HealthFinding:
    unsent = among(Notice.state, (Delivery.DUE, Delivery.SENDING))
    waiting = db.session.scalar(select(func.count()).select_from(Notice).where(unsent)) or 0
    since = db.session.scalar(select(func.min(Notice.due_at)).where(unsent, Notice.due_at <= now))
    dead = (Notice.state == Delivery.DEAD, Notice.created_at > now - UNDELIVERED_SHOWN)
    undelivered = db.session.scalar(select(func.count()).select_from(Notice).where(*dead)) or 0
    late = since is not None and now - since > LATE_NOTICE
    facts = {"n": waiting, "since": since if late else None, "undelivered": undelivered}
    return HealthFinding("notices", HealthState.WARN if late or undelivered else HealthState.WELL, facts)
