"""Actions on a job. Each finds a job that the person may see, calls one verb and answers; losing a race is not an error
but a message. htmx gets the current parts of the page, everyone else is redirected to it.
"""

from collections.abc import Callable
from functools import partial, wraps

from flask import Blueprint, Response, current_app, flash, make_response, redirect, render_template, request, url_for
from flask_babel import format_decimal, gettext, ngettext
from flask_login import current_user

from portal.clock import utcnow
from portal.config import MAX_RETRIES, MAX_TIMEOUT_MINUTES
from portal.jobs import commands, queries
from portal.jobs.core import derived
from portal.jobs.files import trash
from portal.jobs.models import ScrapingJob
from portal.jobs.words.money import amount_typed
from portal.jobs.words.statuses import badge_words
from portal.sources.words import source_title
from portal.web import job_page
from portal.web.access import admin_required, login_required, safe_next, wants_fragment
from portal.web.home import flash_deleted
from portal.web.jobs import visible_job
from portal.web.request_fields import reason, whole

blueprint = Blueprint("job_actions", __name__)


def respond(job_id: int, message: str, kind: str = "ok") -> Response:
    """Back to the page with the button, with a message."""
    if wants_fragment():
        return make_response(job_page.parts(visible_job(job_id), message, kind))
    flash(message, kind)
    return make_response(redirect(url_for("jobs.show", job_id=job_id), 303))


def already_changed(job_id: int) -> Response:
    """Someone else was first, or the job has moved on: nothing was changed, and that is not an error."""
    _tone, words = badge_words(visible_job(job_id), utcnow())
    return respond(job_id, gettext("Nothing was changed: the status is already “%(status)s”.", status=words), "info")


def invalid_input(job_id: int, message: str) -> Response:
    """A field of the form cannot be used."""
    if wants_fragment():
        return respond(job_id, message, "bad")
    flash(message, "bad")
    return make_response(job_page.page(visible_job(job_id)), 422)


def why_of(job: ScrapingJob) -> str | None:
    """Why an admin changes somebody else's file: the owner reads it. Nobody is asked about a file of their own."""
    return (reason() or None) if job.user_id != current_user.id else None


def _action(verb: Callable[[ScrapingJob], str | None], kind: str = "ok") -> Callable[[int], Response]:
    """Make a view from a verb that returns the message for what it did, or None if the job had already changed."""

    @wraps(verb)
    def view(job_id: int) -> Response:
        message = verb(visible_job(job_id))
        return respond(job_id, message, kind) if message else already_changed(job_id)

    return login_required(view)


@blueprint.post("/jobs/<id:job_id>/retry")
@login_required
def retry(job_id: int) -> Response:
    """Look up the rows without an answer again: all, or with `chosen` only those with the ticked `reasons`. `round` is
    the round in which the button was rendered, so that pressing it twice starts one retry."""
    job = visible_job(job_id)
    chosen = request.form.getlist("reasons") if "chosen" in request.form else None
    if "recount" in request.form:
        return _recounted(job, chosen or [])
    seen_round = request.form.get("round", default=job.round, type=whole)
    if chosen is not None and set(chosen) >= {reason for reason, _, _ in queries.failed_causes(job)}:
        chosen = None
    started = commands.retry(job_id, seen_round, current_user.email, utcnow(), reasons=chosen, why=why_of(job))
    if started is None:
        return already_changed(job_id)
    numbers = started.waiting_numbers
    message = ngettext(
        "%(n)s number is being looked up again; what is ready is kept.",
        "%(n)s numbers are being looked up again; what is ready is kept.",
        numbers,
        n=format_decimal(numbers),
    )
    return respond(job_id, message)


def _recounted(job: ScrapingJob, chosen: list[str]) -> Response:
    """The same page with the number on the button recounted for what is ticked; starts nothing."""
    if wants_fragment():
        return make_response(job_page.parts(job, chosen=chosen))
    chosen = [reason for reason, _, _ in queries.failed_causes(job) if reason in chosen]  # an address has its limits
    page = url_for("jobs.show", job_id=job.id, chosen=1, reasons=chosen, _anchor="retry")
    return make_response(redirect(page, 303))


@blueprint.post("/jobs/<id:job_id>/cancel")
@partial(_action, kind="info")
def cancel(job: ScrapingJob) -> str | None:
    """Stop the job; what is ready is kept."""
    done = commands.cancel(job.id, current_user.email, utcnow(), why=why_of(job))
    return gettext("Cancelled. What is ready is kept.") if done else None


@blueprint.post("/jobs/<id:job_id>/pause")
@_action
def pause(job: ScrapingJob) -> str | None:
    """Pause the job."""
    done = commands.pause(job.id, current_user.email, utcnow(), why=why_of(job))
    return gettext("Paused. Numbers already being looked up will be finished and saved.") if done else None


@blueprint.post("/jobs/<id:job_id>/resume")
@_action
def resume(job: ScrapingJob) -> str | None:
    """Resume a paused job."""
    done = commands.resume(job.id, current_user.email, utcnow(), why=why_of(job))
    return gettext("Resumed. The lookup continues from where it stopped.") if done else None


@blueprint.post("/jobs/<id:job_id>/next-source")
@login_required
def skip_source(job_id: int) -> Response:
    """Go on with the next of the job's several sources. `round` is the round in which the button was rendered, so that
    pressing it twice skips one source."""
    job = visible_job(job_id)
    seen_round = request.form.get("round", default=job.round, type=whole)
    done = commands.skip_source(job_id, seen_round, current_user.email, utcnow(), why=why_of(job))
    if done is None:
        return already_changed(job_id)
    then = source_title(done.source)
    return respond(job_id, gettext("The file goes on with “%(source)s”. What is ready is kept.", source=then))


@blueprint.post("/jobs/<id:job_id>/cost-cap")
@login_required
def cost_cap(job_id: int) -> Response:
    """Change the most that the file may cost, or that the one of its several sources at `step` may; an empty field
    removes the limit."""
    job = visible_job(job_id)
    try:
        amount = amount_typed(request.form.get("cost_cap", ""))
    except ValueError:
        return invalid_input(job_id, gettext("Write the limit as an amount, such as 25.00, or leave it empty."))
    step = request.form.get("step", type=whole)
    done = commands.set_cost_cap(job_id, amount, current_user.email, utcnow(), step=step, why=why_of(job))
    return respond(job_id, gettext("The limit is saved.")) if done else already_changed(job_id)


@blueprint.get("/jobs/<id:job_id>/delete")
@login_required
def ask_delete(job_id: int) -> str:
    """The confirmation page: what is deleted, and the button that does it."""
    job = visible_job(job_id)
    return render_template("jobs/delete.html", job=job, moving=derived.is_unfinished(job), days=trash.KEPT.days)


@blueprint.post("/jobs/<id:job_id>/delete")
@login_required
def delete(job_id: int) -> Response:
    """Move the job to the trash, or with `now` delete it for good. Its page is gone then, so this redirects to the
    list."""
    job = visible_job(job_id)
    name = job.file_name
    if "now" in request.form:
        storage = current_app.extensions["storage"]
        if commands.delete(job_id, current_user.email, utcnow(), storage, why=why_of(job)) is None:
            return already_changed(job_id)
        flash(gettext("%(name)s was deleted permanently.", name=name), "ok")
    else:
        if trash.put_job(job_id, current_user.email, utcnow(), why=why_of(job)) is None:
            return already_changed(job_id)
        flash_deleted([name], [f"job-{job_id}"])
    return make_response(redirect(safe_next(request.form.get("next")), 303))


@blueprint.post("/jobs/<id:job_id>/time-out")
@admin_required
def time_out(job_id: int) -> Response:
    """An admin marks a hanging attempt as timed out, with a reason."""
    visible_job(job_id)
    why = reason()
    if not why:
        return invalid_input(job_id, gettext("Enter a reason. The owner can read it in the history."))
    if commands.time_out(job_id, current_user.email, why, utcnow()) is None:
        return already_changed(job_id)
    return respond(job_id, gettext("The attempt was marked as timed out."))


@blueprint.post("/jobs/<id:job_id>/put-first")
@admin_required
def put_first(job_id: int) -> Response:
    """An admin lets a waiting job go before everybody's others."""
    job = visible_job(job_id)
    if commands.put_first(job_id, current_user.email, utcnow(), why=why_of(job)) is None:
        return already_changed(job_id)
    return respond(job_id, gettext("This file is next: the first free worker takes it."))


def limits_in_form() -> tuple[int, int] | None:
    """Retries and minutes without progress from the form; None when either is missing or out of bounds."""
    retries, minutes = (request.form.get(name, type=int) for name in ("max_retries", "timeout_minutes"))
    if retries is None or minutes is None:
        return None
    within = 0 <= retries <= MAX_RETRIES and 1 <= minutes <= MAX_TIMEOUT_MINUTES
    return (retries, minutes) if within else None


def limits_problem() -> str:
    """The limits that the form accepts."""
    return gettext(
        "Enter 0 to %(retries)s retries, and 1 to %(minutes)s minutes without progress.",
        retries=MAX_RETRIES,
        minutes=format_decimal(MAX_TIMEOUT_MINUTES),
    )


@blueprint.post("/jobs/<id:job_id>/limits")
@admin_required
def limits(job_id: int) -> Response:
    """An admin changes how often a job is retried and how long it may go without progress."""
    job = visible_job(job_id)
    numbers = limits_in_form()
    if numbers is None:
        return invalid_input(job_id, limits_problem())
    if commands.set_limits(job_id, *numbers, current_user.email, utcnow(), why=why_of(job)) is None:
        return already_changed(job_id)
    return respond(job_id, gettext("The limits of this file were changed."))
