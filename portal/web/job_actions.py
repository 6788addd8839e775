"""What a person does with a job. Each is: find with the right to see → one verb → answer; losing a race is no error but
a sentence. htmx gets the page's parts as they stand now, everybody else goes back to the page.
"""

from collections.abc import Callable
from functools import wraps

from flask import Blueprint, Response, current_app, flash, make_response, redirect, render_template, request, url_for
from flask_babel import format_decimal, gettext, ngettext
from flask_login import current_user

from portal.clock import utcnow
from portal.config import MAX_RETRIES, MAX_TIMEOUT_MINUTES
from portal.jobs import commands, queries
from portal.jobs.core import derived
from portal.jobs.models import ScrapingJob
from portal.jobs.words.statuses import status_words
from portal.web import job_page
from portal.web.access import admin_required, login_required, wants_fragment
from portal.web.jobs import mine
from portal.web.request_fields import reason, whole

blueprint = Blueprint("job_actions", __name__)


def answer(job_id: int, said: str, kind: str = "ok") -> Response:
    """Back to where the button was, with a sentence."""
    if wants_fragment():
        return make_response(job_page.parts(mine(job_id), said, kind))
    flash(said, kind)
    return make_response(redirect(url_for("jobs.show", job_id=job_id), 303))


def lost(job_id: int) -> Response:
    """Somebody was first, or the job stands elsewhere by now: nothing was changed, and that is no error."""
    word = status_words(mine(job_id).status)
    return answer(job_id, gettext("Nothing was changed: the status is already “%(status)s”.", status=word), "info")


def refused(job_id: int, said: str) -> Response:
    """What was filled in cannot be used."""
    if wants_fragment():
        return answer(job_id, said, "bad")
    flash(said, "bad")
    return make_response(job_page.page(mine(job_id)), 422)


def _action(verb: Callable[[ScrapingJob], str | None]) -> Callable[[int], Response]:
    """A view out of a verb that gives the sentence for what was done, or nothing when it was not its turn."""

    @wraps(verb)
    def view(job_id: int) -> Response:
        said = verb(mine(job_id))
        return answer(job_id, said) if said else lost(job_id)

    return login_required(view)


@blueprint.post("/jobs/<id:job_id>/retry")
@login_required
def retry(job_id: int) -> Response:
    """Look up again what has no answer: all of it, or with `chosen` only the ticked `reasons`. `round` is the one that
    the button was drawn in, so that its second press starts nothing."""
    job = mine(job_id)
    chosen = request.form.getlist("reasons") if "chosen" in request.form else None
    if "recount" in request.form:
        return _recounted(job, chosen or [])
    seen_round = request.form.get("round", default=job.round, type=whole)
    if chosen is not None and set(chosen) >= {reason for reason, _, _ in queries.failed_causes(job)}:
        chosen = None
    started = commands.retry(job_id, seen_round, current_user.email, utcnow(), reasons=chosen)
    if started is None:
        return lost(job_id)
    numbers = started.waiting_numbers
    said = ngettext(
        "%(n)s number is being looked up again; what is ready is kept.",
        "%(n)s numbers are being looked up again; what is ready is kept.",
        numbers,
        n=format_decimal(numbers),
    )
    return answer(job_id, said)


def _recounted(job: ScrapingJob, chosen: list[str]) -> Response:
    """The same page with the button's number for what is ticked now; nothing is started."""
    if wants_fragment():
        return make_response(job_page.parts(job, chosen=chosen))
    there = url_for("jobs.show", job_id=job.id, chosen=1, reasons=chosen, _anchor="retry")
    return make_response(redirect(there, 303))


@blueprint.post("/jobs/<id:job_id>/cancel")
@_action
def cancel(job: ScrapingJob) -> str | None:
    """Stop the job; what is ready is kept."""
    done = commands.cancel(job.id, current_user.email, utcnow())
    return gettext("Cancelled. What is ready is kept.") if done else None


@blueprint.post("/jobs/<id:job_id>/pause")
@_action
def pause(job: ScrapingJob) -> str | None:
    """Let the job wait."""
    done = commands.pause(job.id, current_user.email, utcnow())
    return gettext("Paused. What is under way is finished and saved.") if done else None


@blueprint.post("/jobs/<id:job_id>/resume")
@_action
def resume(job: ScrapingJob) -> str | None:
    """Let it go on."""
    done = commands.resume(job.id, current_user.email, utcnow())
    return gettext("It goes on from where it stopped.") if done else None


@blueprint.get("/jobs/<id:job_id>/delete")
@login_required
def ask_delete(job_id: int) -> str:
    """What deleting takes away, and the button that does it."""
    job = mine(job_id)
    return render_template("jobs/delete.html", job=job, moving=derived.is_unfinished(job))


@blueprint.post("/jobs/<id:job_id>/delete")
@login_required
def delete(job_id: int) -> Response:
    """Remove the job with its rows. Nothing of it is left to go back to, so this goes to the list."""
    job = mine(job_id)
    name = job.file_name
    if commands.delete(job_id, current_user.email, utcnow(), current_app.extensions["storage"]) is None:
        return lost(job_id)
    flash(gettext("%(name)s was deleted.", name=name), "ok")
    return make_response(redirect("/", 303))


@blueprint.post("/jobs/<id:job_id>/time-out")
@admin_required
def time_out(job_id: int) -> Response:
    """An admin ends an attempt that hangs, and says why."""
    mine(job_id)
    why = reason()
    if not why:
        return refused(job_id, gettext("Say why: the reason stands on the timeline for the owner to read."))
    if commands.time_out(job_id, current_user.email, why, utcnow()) is None:
        return lost(job_id)
    return answer(job_id, gettext("The attempt was ended as timed out."))


def limits_in_form() -> tuple[int, int] | None:
    """Retries and minutes without progress from the form; None when either is missing or out of bounds."""
    retries, minutes = (request.form.get(name, type=int) for name in ("max_retries", "timeout_minutes"))
    if retries is None or minutes is None:
        return None
    within = 0 <= retries <= MAX_RETRIES and 1 <= minutes <= MAX_TIMEOUT_MINUTES
    return (retries, minutes) if within else None


def limits_problem() -> str:
    """What the form takes."""
    return gettext(
        "Retries go from 0 to %(retries)s, and minutes without progress from 1 to %(minutes)s.",
        retries=MAX_RETRIES,
        minutes=format_decimal(MAX_TIMEOUT_MINUTES),
    )


@blueprint.post("/jobs/<id:job_id>/limits")
@admin_required
def limits(job_id: int) -> Response:
    """An admin changes how often and how long this job may try."""
    mine(job_id)
    numbers = limits_in_form()
    if numbers is None:
        return refused(job_id, limits_problem())
    if commands.set_limits(job_id, *numbers, current_user.email, utcnow()) is None:
        return lost(job_id)
    return answer(job_id, gettext("The limits of this file were changed."))
