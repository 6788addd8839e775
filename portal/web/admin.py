"""The admins' list of everybody's jobs, and one verb over many of them. For anybody else these pages do not exist."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, current_app, flash, make_response, redirect, render_template, request, url_for
from flask_babel import format_decimal, get_timezone, gettext, ngettext
from flask_login import current_user

from portal.clock import utcnow
from portal.jobs import bulk, queries
from portal.jobs.status import Status
from portal.jobs.words import status_words
from portal.notices.delivered import given_up
from portal.web.access import admin_required, wants_fragment

blueprint = Blueprint("admin", __name__)
WHY_LETTERS = 500
NAMED = 5  # so many of the skipped jobs are named one by one


@dataclass(frozen=True)
class Filters:
    """What the list is narrowed to, as it stands in the address."""

    status: str
    q: str
    user: str
    since: str  # a day, as 2026-05-31

    @property
    def since_at(self) -> datetime | None:
        """The beginning of that day in the admin's time zone; nothing for what is no day."""
        try:
            day = datetime.strptime(self.since, "%Y-%m-%d")  # noqa: DTZ007 - the zone comes on the next line
        except ValueError:
            return None
        zone = get_timezone()
        return day.replace(tzinfo=zone).astimezone(UTC) if zone else day.replace(tzinfo=UTC)

    def as_arguments(self) -> dict[str, Any]:
        """The filters as arguments of an address, without the empty ones."""
        return {name: value for name, value in vars(self).items() if value}


def _filters() -> Filters:
    values = request.values
    return Filters(*(values.get(name, "").strip()[:200] for name in ("status", "q", "user", "since")))


@blueprint.get("/admin/jobs")
@admin_required
def jobs() -> Response:
    """Everybody's jobs, and whether the sweep is well."""
    asked = _filters()
    found = queries.list_jobs(
        current_user,
        status=asked.status,
        q=asked.q,
        page=request.args.get("page", default=1, type=int),
        everybody=True,
        since=asked.since_at,
        of_user=asked.user,
    )
    interval = timedelta(minutes=current_app.config["SCRAPING_CHECK_INTERVAL"])
    template = "admin/_found.html" if wants_fragment() else "admin/jobs.html"
    return make_response(
        render_template(
            template,
            found=found,
            jobs=found.jobs,
            everybody=True,
            asked=asked,
            arguments=asked.as_arguments(),
            sweep=queries.last_sweep(utcnow(), interval),
            at_once=bulk.AT_ONCE,
            given_up=given_up(),
        )
    )


@blueprint.post("/admin/jobs/retry")
@admin_required
def retry() -> Response:
    """Retry the ticked jobs, or all under the filters."""
    return _told(bulk.retry_all(current_user, _chosen(bulk.RETRY_FIRST), _why(), utcnow()), "retry")


@blueprint.post("/admin/jobs/time-out")
@admin_required
def time_out() -> Response:
    """End the ticked jobs' attempts as timed out; the reason stands on each timeline."""
    if not _why():
        flash(gettext("Say why: the reason stands on the timeline of every file for its owner to read."), "bad")
        return _back()
    return _told(bulk.time_out_all(current_user, _chosen(bulk.TIME_OUT_FIRST), _why(), utcnow()), "time_out")


def _why() -> str:
    return request.form.get("why", "").strip()[:WHY_LETTERS]


def _chosen(first: Sequence[Status]) -> list[int]:
    """The ids of the jobs: those ticked, or with `all` those under the filters as they are now."""
    if request.form.get("all"):
        asked = _filters()
        return queries.matching(
            current_user,
            status=asked.status,
            q=asked.q,
            since=asked.since_at,
            of_user=asked.user,
            first=first,
            limit=bulk.AT_ONCE,
        )
    ticked = ",".join(request.form.getlist("ids")).split(",")
    return [int(text) for text in dict.fromkeys(ticked) if text.isdecimal() and len(text) < 11]


def _back() -> Response:
    return make_response(redirect(url_for("admin.jobs", **_filters().as_arguments()), 303))


def _told(account: bulk.Account, verb: str) -> Response:
    """Say what was done, and what was skipped and why."""
    if not account.done and not account.skipped:
        flash(gettext("No file was chosen. Tick some, or choose all that match."), "info")
        return _back()
    done, n = len(account.done), format_decimal(len(account.done))
    if verb == "retry":
        said = [ngettext("%(n)s file is being retried.", "%(n)s files are being retried.", done, n=n)]
    else:
        said = [ngettext("%(n)s attempt was ended.", "%(n)s attempts were ended.", done, n=n)]
    said += _skipped(account)
    if account.full:
        said.append(gettext("There may be more that match: press again for those."))
    flash(" ".join(said), "ok" if account.done else "warn")
    return _back()


def _skipped(account: bulk.Account) -> list[str]:
    if not account.skipped:
        return []
    count = len(account.skipped)
    by_status = Counter(status for _, _, status in account.skipped)
    reasons = ", ".join(f"{format_decimal(many)} × {status_words(status)}" for status, many in by_status.most_common())
    named = ", ".join(f"#{job_id} {name[:40]}" for job_id, name, _ in account.skipped[:NAMED])
    return [
        ngettext(
            "%(n)s was skipped because of its status (%(reasons)s): %(named)s",
            "%(n)s were skipped because of their status (%(reasons)s): %(named)s",
            count,
            n=format_decimal(count),
            reasons=reasons,
            named=named + (" …" if count > NAMED else ""),
        )
    ]
