"""What `/metrics` says: the findings of the health checks and the jobs by status, in the text format of Prometheus.

It counts nothing of its own, so that every process gives the same figures, and none needs a folder that they share.
No name of a person or file is in it, and no number. docs/scale.md has a table of the figures, which a test compares
with `FIGURES`.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from portal.database import db
from portal.jobs.health import checks
from portal.jobs.health.checks import HealthFinding, HealthState
from portal.jobs.status_counts import count_by_status

STATES = {HealthState.WELL: 0, HealthState.WARN: 1, HealthState.BAD: 2}
# name → what it is, and its label
FIGURES: dict[str, tuple[str, str]] = {
    "part_state": ("The state of a part of the portal: 0 well, 1 to be looked at, 2 stopped or away", "part"),
    "jobs": ("Jobs by status, without deleted ones", "status"),
    "workers": ("Worker processes that report", "kind"),
    "workers_busy": ("Worker processes that have work in hand", "kind"),
    "queue_waiting": ("Files to be read (intake) and jobs to be looked up (scrape) that could start now", "queue"),
    "queue_oldest_timestamp_seconds": ("Since when the first of them has waited; absent while none waits", "queue"),
    "sweep_ended_timestamp_seconds": ("When the sweep last ended", ""),
    "disk_free_bytes": ("Free space in the data folder", ""),
    "database_size_bytes": ("Size of the database", ""),
    "notices_waiting": ("Notices that wait to be sent", ""),
    "notices_undelivered": ("Notices of the last seven days that could not be delivered", ""),
}


def exposition(now: datetime) -> bytes:
    """Return all figures that can be read now. It raises nothing: a part that is away has the state 2."""
    registry = CollectorRegistry()
    registry.register(_Figures(now))
    return generate_latest(registry)


class _Figures(Collector):
    def __init__(self, now: datetime) -> None:
        self._now = now

    def collect(self) -> Iterator[GaugeMetricFamily]:
        families = {
            name: GaugeMetricFamily(f"masterfilter_{name}", about, labels=[label] if label else [])
            for name, (about, label) in FIGURES.items()
        }
        for name, label, value in self._values():
            families[name].add_metric([label] if label else [], value)
        yield from families.values()

    def _values(self) -> Iterator[tuple[str, str, float]]:
        """Yield name, label and value of every figure that can be read."""
        for one in checks.findings_there(self._now):
            yield "part_state", one.part, STATES[one.state]
            yield from _of_finding(one)
        try:
            counts = count_by_status()
        except SQLAlchemyError:
            return
        finally:
            db.session.rollback()
        for status, count in counts.items():
            yield "jobs", status.value, count


def _of_finding(one: HealthFinding) -> Iterator[tuple[str, str, float]]:
    """Yield the figures among the facts of a finding."""
    facts, (group, _, label) = one.facts, one.part.partition("_")
    match group:
        case "workers":
            yield "workers", label, facts["n"]
            yield "workers_busy", label, facts["busy"]
        case "queue":
            yield "queue_waiting", label, facts["n"]
            yield from _moment("queue_oldest_timestamp_seconds", label, facts["since"])
        case "sweep":
            yield from _moment("sweep_ended_timestamp_seconds", "", facts.get("at"))
        case "disk" if "free" in facts:
            yield "disk_free_bytes", "", facts["free"]
        case "database" if facts.get("size") is not None:
            yield "database_size_bytes", "", facts["size"]
        case "notices" if "n" in facts:
            yield "notices_waiting", "", facts["n"]
            yield "notices_undelivered", "", facts["undelivered"]


def _moment(name: str, label: str, at: Any) -> Iterator[tuple[str, str, float]]:
    if at is not None:
        yield name, label, at.timestamp()
