"""The administrators' first page: what needs attention, what is under way, the longest wait, sources and messages."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import render_template, url_for
from flask_babel import ngettext

from portal.clock import utcnow
from portal.jobs.admin import first_steps, portal_settings
from portal.jobs.admin.overview import today
from portal.jobs.health import checks, queues
from portal.jobs.health import sources as source_health
from portal.jobs.health.checks import HealthState
from portal.jobs.health.words import describe
from portal.jobs.spending.room import waiting_for_an_administrator
from portal.web.access import admin_required, wants_fragment
from portal.web.admin.blueprint import blueprint
from portal.web.admin.desk_counts import desk_counts
from portal.web.locale import reader_zone
from portal.web.metrics.page import current_counts

WAITING_LONG_SECONDS = 600
SHOWN_ELSEWHERE = ("notices", "sources", "queue_scrape")  # by lines of their own


@dataclass(frozen=True)
class Attention:
    """One line of what needs somebody: how bad it is, in words, and where to look."""

    tone: str  # bad or warn
    words: str
    address: str
    todo: str = ""


@blueprint.get("/admin", endpoint="overview")
@admin_required
def show() -> str:
    """Show the overview; htmx gets the part that changes."""
    now = utcnow()
    if wants_fragment():
        return render_template("admin/_overview.html", **_now(now))
    steps = None if portal_settings.steps_hidden() else first_steps.first_steps()
    return render_template("admin/overview.html", **_now(now), **current_counts(), steps=steps)


def _now(now: datetime) -> dict[str, Any]:
    healths = source_health.all_healths(now)
    waiting = {queue.name: queue for queue in queues.queues(now)}
    return {
        "attention": list(_attention(now, healths)),
        "healths": healths,
        "to_read": waiting["intake"],
        "to_look_up": waiting["scrape"],
        "waits_long": WAITING_LONG_SECONDS,
        "today": today(now, reader_zone()),
        "now": now,
    }


def _attention(now: datetime, healths: list[source_health.SourceHealth]) -> list[Attention]:
    """What needs somebody, the worst first."""
    counts = desk_counts()
    found = []
    for one in checks.findings(now):
        if one.state != HealthState.WELL and one.part not in SHOWN_ELSEWHERE:
            said = describe(one)
            tone = "bad" if one.state == HealthState.BAD else "warn"
            found.append(Attention(tone, f"{said.title}: {said.how}", url_for("admin.health"), said.todo))
    if many := counts["triage"]:
        words = ngettext("%(n)s file failed or timed out", "%(n)s files failed or timed out", many, n=many)
        found.append(Attention("bad", words, url_for("admin.triage")))
    if many := counts["notices"]:
        words = ngettext("%(n)s message was not delivered", "%(n)s messages were not delivered", many, n=many)
        found.append(Attention("bad", words, url_for("admin.notices", state="dead")))
    if many := waiting_for_an_administrator():
        words = ngettext(
            "%(n)s file waits at a monthly spending limit", "%(n)s files wait at a monthly spending limit", many, n=many
        )
        found.append(Attention("warn", words, url_for("admin.spending", _anchor="caps")))
    if many := sum(one.state in ("open", "paused") for one in healths):
        words = ngettext("%(n)s source is not in use now", "%(n)s sources are not in use now", many, n=many)
        found.append(Attention("warn", words, url_for("admin.sources")))
    return sorted(found, key=lambda line: line.tone != "bad")
