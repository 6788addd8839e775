"""The administrators' list of all jobs, and the search in it. Bulk actions are in `bulk`."""

from typing import Any

from flask import Response, current_app, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user

from portal import sources
from portal.causes import CAUSES
from portal.clock import utcnow
from portal.jobs import queries
from portal.jobs.admin import job_list, operations, phone_search
from portal.jobs.admin.triage import SPANS
from portal.notices.log import undelivered_count
from portal.web.access import admin_required, wants_fragment
from portal.web.admin.blueprint import blueprint
from portal.web.admin.filters import ID, REFERENCE, ListQuery
from portal.web.cursor import to_text


@blueprint.get("/admin/jobs")
@admin_required
def jobs() -> Response:
    """Show all users' jobs, and whether the sweep runs."""
    asked, now = ListQuery.read(), utcnow()
    wanted = asked.filters(current_user, now)
    found = job_list.list_all(wanted, asked.by, asked.place())
    return make_response(
        render_template(
            "admin/_found.html" if wants_fragment() else "admin/jobs.html",
            found=found,
            jobs=found.jobs,
            everybody=True,
            asked=asked,
            arguments=asked.arguments(),
            after=request.args.get("after", ""),
            next_after=to_text(found.next) if found.next else "",
            resorted=found.order != asked.by,
            phone=wanted.e164,
            now=now,
            sweep=queries.last_sweep(now),
            under_way=operations.under_way(),
            sorts=tuple(job_list.Sort),
            sources=sources.names(),
            causes=list(CAUSES),
            spans=[span for span, back in SPANS.items() if back],
            window=job_list.WINDOW,
            cap=job_list.CAP,
            undelivered=undelivered_count(),
        )
    )


@blueprint.post("/admin/jobs/search")
@admin_required
def search() -> Response:
    """Search by the text typed: a reference leads to its job, a telephone number to a list whose address does not
    contain it, any other text to a list whose address does."""
    text = request.form.get("q", "").strip()[:200]
    now = utcnow()
    if match := REFERENCE.fullmatch(text):
        if queries.find_job(current_user, int(match[1])) is not None:
            there = url_for("jobs.show", job_id=int(match[1]), _anchor=f"attempt-{int(match[2])}")
            return make_response(redirect(there, 303))
        flash(gettext("No file has the reference %(reference)s. It may have been deleted.", reference=text), "info")
        return _listed()
    country = current_app.config["DEFAULT_COUNTRY"]
    if not ID.fullmatch(text) and phone_search.looks_like_a_phone(text, country):
        key = phone_search.begin(current_user, text, country, now)
        if key is None:
            flash(gettext("That is not a complete phone number, so nothing was searched."), "bad")
        return _listed(found=key)
    return _listed(q=text)


def _listed(**asked: str | None) -> Response:
    values: dict[str, Any] = {name: text for name, text in asked.items() if text}
    return make_response(redirect(url_for("admin.jobs", **values), 303))
