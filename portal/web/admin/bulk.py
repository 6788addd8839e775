"""Bulk actions: a page first shows what will happen, then the action is done. A few jobs are done at once, with a
message on the list; more become an operation with its own page.

A program may post to the verbs' addresses directly, with `ids` (repeated, or separated by commas) or with `all` and the
filters of the list.
"""

import secrets
from collections.abc import Sequence

from flask import Response, current_app, flash, make_response, redirect, render_template, request, url_for
from flask_babel import format_decimal, gettext, ngettext
from flask_login import current_user

from portal.clock import utcnow
from portal.jobs.admin import bulk, job_list, operations
from portal.jobs.admin.bulk_plan import plan_for, some_matching
from portal.jobs.admin.words import done_words, skipped_words
from portal.jobs.core.bulk_tables import Verb
from portal.jobs.models import ScrapingJob
from portal.web.access import admin_required
from portal.web.admin.blueprint import blueprint
from portal.web.admin.filters import ListQuery
from portal.web.job_actions import limits_in_form, limits_problem
from portal.web.request_fields import id_list, reason

NAMED = 5  # jobs that the message names
IDS_AT_ONCE = 100_000


@blueprint.post("/admin/jobs/plan")
@admin_required
def plan() -> Response:
    """Show what a verb would do. Nothing is changed."""
    asked = ListQuery.read()
    verb = Verb(request.form["verb"]) if request.form.get("verb") in tuple(Verb) else Verb.RETRY
    return _planned(verb, asked)


def _planned(verb: Verb, asked: ListQuery, problem: str = "") -> Response:
    every = bool(request.form.get("all"))
    if every and asked.invalid:
        return _back(asked, _invalid_filter(), "bad")
    wanted = asked.filters(current_user, utcnow()) if every else None
    ids = [] if every else _ids()
    if not every and not ids:
        return _back(asked, gettext("No files selected. Select some of them, or all that match."))
    page = render_template(
        "admin/plan.html",
        verb=verb,
        plan=plan_for(current_user, verb, wanted, ids),
        every=every,
        ids=ids,
        asked=asked,
        arguments=asked.arguments(),
        key=request.form.get("key") or secrets.token_urlsafe(16),
        needs_reason=verb in bulk.NEEDS_REASON,
        why=reason(),
        problem=problem,
        limits=(current_app.config["SCRAPING_MAX_RETRIES"], current_app.config["SCRAPING_TIMEOUT_MINUTES"]),
    )
    return make_response(page, 422 if problem else 200)


@blueprint.post("/admin/jobs/retry")
@admin_required
def retry() -> Response:
    """Retry the selected jobs."""
    return _do(Verb.RETRY)


@blueprint.post("/admin/jobs/time-out")
@admin_required
def time_out() -> Response:
    """Mark the selected jobs' attempts as timed out; each timeline shows the reason."""
    return _do(Verb.TIME_OUT)


@blueprint.post("/admin/jobs/cancel")
@admin_required
def cancel() -> Response:
    """Cancel the selected jobs; finished numbers are kept."""
    return _do(Verb.CANCEL)


@blueprint.post("/admin/jobs/next-source")
@admin_required
def skip_source() -> Response:
    """Let the selected jobs that one of their several sources holds up go on with the next one."""
    return _do(Verb.SKIP_SOURCE)


@blueprint.post("/admin/jobs/limits")
@admin_required
def limits() -> Response:
    """Change the limits of retries and minutes of the selected jobs."""
    return _do(Verb.LIMITS)


def _do(verb: Verb) -> Response:
    asked, now = ListQuery.read(), utcnow()
    every = bool(request.form.get("all"))
    if every and asked.invalid:
        return _back(asked, _invalid_filter(), "bad")
    wanted = asked.filters(current_user, now) if every else None
    ids = [] if every else _ids()
    if not every and not ids:
        return _back(asked, gettext("No files selected. Select some of them, or all that match."))
    numbers = limits_in_form() if verb == Verb.LIMITS else None
    problem = _problem(verb, numbers)
    if problem and "key" in request.form:
        return _planned(verb, asked, problem)
    if problem:
        return _back(asked, problem, "bad")
    order = bulk.BulkOrder(verb, current_user.email, reason() or None, numbers)
    few = _few(wanted, ids)
    if few is not None:
        return _answer(bulk.do_at_once(order, few, now), verb, asked)
    key = f"{current_user.id}.{request.form.get('key', '')[:40] or secrets.token_urlsafe(16)}"
    begun = operations.begin(order, key, now, wanted=wanted, address=asked.arguments(), job_ids=ids)
    return make_response(redirect(url_for("admin.operation", operation_id=begun.id), 303))


def _few(wanted: job_list.Filters | None, ids: Sequence[int]) -> list[ScrapingJob] | None:
    """Return the jobs if they are few enough to be done at once."""
    if wanted is None:
        return bulk.selected(current_user, ids) if len(ids) <= bulk.AT_ONCE else None
    jobs = some_matching(current_user, wanted, bulk.AT_ONCE + 1)
    return jobs if len(jobs) <= bulk.AT_ONCE else None


def _problem(verb: Verb, numbers: tuple[int, int] | None) -> str:
    if verb == Verb.LIMITS and numbers is None:
        return limits_problem()
    if verb in bulk.NEEDS_REASON and not reason():
        return gettext("Enter a reason. It appears in each file’s history, where its owner can read it.")
    return ""


def _invalid_filter() -> str:
    return gettext("One of the filters is not valid, so nothing was changed. Choose the filters again.")


def _ids() -> list[int]:
    return id_list(",".join(request.form.getlist("ids")))[:IDS_AT_ONCE]


def _back(asked: ListQuery, said: str, kind: str = "info") -> Response:
    flash(said, kind)
    return make_response(redirect(url_for("admin.jobs", **asked.arguments()), 303))


def _answer(account: bulk.BulkResult, verb: Verb, asked: ListQuery) -> Response:
    """Answer with what was done, what was skipped and why."""
    done, skipped = len(account.done), len(account.skipped)
    if not done and not skipped:
        return _back(asked, gettext("No files selected. Select some of them, or all that match."))
    said = [done_words(verb, done), _named(account.done) + "." if done else ""]
    if skipped:
        reasons = ", ".join(f"{format_decimal(many)} × {skipped_words(why)}" for why, many in account.reasons)
        named = _named([(job_id, name) for job_id, name, _ in account.skipped])
        said.append(
            ngettext(
                "%(n)s was skipped because of its status (%(reasons)s): %(named)s",
                "%(n)s were skipped because of their status (%(reasons)s): %(named)s",
                skipped,
                n=format_decimal(skipped),
                reasons=reasons,
                named=named,
            )
        )
    return _back(asked, " ".join(filter(None, said)), "ok" if done else "warn")


def _named(jobs: Sequence[tuple[int, str]]) -> str:
    """The first of these jobs, by id and by their files' names."""
    return ", ".join(f"#{job_id} {name[:40]}" for job_id, name in jobs[:NAMED]) + (" …" if len(jobs) > NAMED else "")
