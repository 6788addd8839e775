"""Correcting the cells of a job that has ended, on its page, and looking up what was written for them."""

from flask import Blueprint, abort, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_decimal, gettext, ngettext
from flask_login import current_user

from portal.clock import utcnow
from portal.documents.corrections import Cell, Refused
from portal.documents.words import reason_words
from portal.jobs import commands, corrections
from portal.jobs.corrections import Fixes
from portal.jobs.models import ScrapingJob
from portal.phone import Reason
from portal.web import job_page
from portal.web.access import login_required, wants_fragment
from portal.web.corrections.typed_cells import already_words, cell_of, typed_cells, used_offer
from portal.web.job_actions import already_changed, respond
from portal.web.jobs import visible_job
from portal.web.request_fields import whole

blueprint = Blueprint("job_corrections", __name__)


@blueprint.post("/jobs/<id:job_id>/corrections")
@login_required
def save(job_id: int) -> ResponseReturnValue:
    """Keep what was typed beside cells, then do what the pressed button says: accept a group (`accept`) or one number
    (`use`), take a correction back (`take_back`), or look up what is written (`look_up`)."""
    job = visible_job(job_id)
    if not corrections.may_be_corrected(job):
        return already_changed(job_id)
    seen_round = request.form.get("round", default=job.round, type=whole)
    refused = _save_typed(job)
    _press(job)
    job = visible_job(job_id)
    if "look_up" in request.form and not refused:
        return _look_up(job, seen_round)
    if not refused and not wants_fragment():
        return redirect(url_for("jobs.show", job_id=job_id, _anchor="fix"), 303)
    status = 422 if refused else 200
    if wants_fragment():
        return render_template("jobs/_fixes.html", job=job, **job_page.fixes_of(job), refused=refused), status
    return make_response(job_page.page(job, refused=refused), status)


def _look_up(job: ScrapingJob, seen_round: int) -> ResponseReturnValue:
    """Look up the numbers that are written. A page that was open before another press finds nothing to do."""
    written = corrections.written_in(job)
    if not written:
        flash(gettext("Nothing was written yet. Write the right number beside a cell first."), "info")
        return redirect(url_for("jobs.show", job_id=job.id, _anchor="fix"), 303)
    cells = len(written)
    changed = commands.correct(job.id, seen_round, current_user.email, utcnow())
    if changed is None:
        return already_changed(job.id)
    if not changed.waiting_numbers:
        known = ngettext(
            "%(n)s cell was corrected. Its number was in the file already, with its answer.",
            "%(n)s cells were corrected. Their numbers were in the file already, with their answers.",
            cells,
            n=format_decimal(cells),
        )
        return respond(job.id, known)
    numbers = changed.waiting_numbers
    looked_up = ngettext(
        "%(n)s number is being looked up; what is ready is kept.",
        "%(n)s numbers are being looked up; what is ready is kept.",
        numbers,
        n=format_decimal(numbers),
    )
    return respond(job.id, looked_up)


def _save_typed(job: ScrapingJob) -> dict[Cell, tuple[str, str]]:
    """Keep what was typed, and return what was not kept: the text and why."""
    refused: dict[Cell, tuple[str, str]] = {}
    wanted: dict[Cell, str] = {}
    typed_over = dict(typed_cells())
    for cell, read in corrections.read_cells(job, typed_over).items():
        if isinstance(read, Refused):
            refused[cell] = (typed_over[cell], reason_words(read.reason or Reason.NOT_A_NUMBER, read.offered))
        else:
            wanted[cell] = read
    if wanted:
        kept = corrections.write(job, wanted, utcnow())
        refused |= {cell: (numbers, already_words()) for cell, numbers in wanted.items() if cell not in kept}
    return refused


def _press(job: ScrapingJob) -> None:
    """Do what the pressed button says."""
    form, now = request.form, utcnow()
    if "accept" in form or "use" in form:
        corrections.write(job, _accepted(corrections.fixes_of(job)), now)
    elif form.get("take_back") == "all":
        corrections.take_back(job, None, now)
    elif "take_back" in form:
        corrections.take_back(job, cell_of(form["take_back"]) or abort(400), now)


def _accepted(fixes: Fixes | None) -> dict[Cell, str]:
    """The cells that the pressed button gives a number: all of a reason, or one."""
    groups = fixes.groups if fixes else []
    if "accept" in request.form:
        chosen = (group for group in groups if group.reason == request.form["accept"])
        return {cell: numbers for group in chosen for cell, (_, numbers) in group.offered.items()}
    cell, number = used_offer()
    offered = {(row[0], row[4]): row[3] for group in groups for row in group.rows}
    return {cell: number} if cell is not None and number in offered.get(cell, ()) else {}
