"""Going on in the job of a corrected download that was uploaded again."""

from flask import Blueprint, abort, current_app, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_decimal, gettext, ngettext
from flask_login import current_user, login_required

from portal.clock import utcnow
from portal.documents.models import Document, Reading
from portal.jobs import commands, corrections, queries, uploads
from portal.jobs.export.returned import ReturnState
from portal.web.job_actions import already_changed
from portal.web.request_fields import whole
from portal.web.returned_download import found_in

blueprint = Blueprint("download_corrections", __name__)


@blueprint.post("/documents/<id:document_id>/continue")
@login_required
def go_on(document_id: int) -> ResponseReturnValue:
    """Give the job the corrections of the file, and look up what it does not know. The upload is not needed then."""
    document = _own_document(document_id)
    found = found_in(document)
    if found is None or found.job is None or found.state is not ReturnState.READY or not found.corrected:
        return redirect(url_for("documents.show", document_id=document_id), 303)
    job_id = found.job.id
    seen_round = request.form.get("round", default=found.job.round, type=whole)
    if seen_round != found.job.round:
        return already_changed(job_id)
    kept = corrections.write(found.job, found.corrected, utcnow())
    changed = commands.correct(job_id, seen_round, current_user.email, utcnow())
    if changed is None:
        return already_changed(job_id)
    cells, numbers = len(kept), changed.waiting_numbers
    flash(
        ngettext(
            "%(n)s cell of this file was corrected.", "%(n)s cells of this file were corrected.", cells,
            n=format_decimal(cells),
        ), "ok",
    )  # fmt: skip
    if numbers:
        flash(
            ngettext(
                "%(n)s number is being looked up; what is ready is kept.",
                "%(n)s numbers are being looked up; what is ready is kept.",
                numbers,
                n=format_decimal(numbers),
            ),
            "ok",
        )
    if len(kept) < len(found.corrected):
        flash(gettext("Other corrections were written for some of the cells before, and those stay."), "info")
    uploads.discard(document_id, utcnow(), current_app.extensions["storage"])
    return redirect(url_for("jobs.show", job_id=job_id), 303)


def _own_document(document_id: int) -> Document:
    """Only who uploaded the file goes on with it."""
    document = queries.find_document(current_user, document_id)
    is_own = document is not None and document.user_id == current_user.id and document.state == Reading.READY
    return document if document is not None and is_own else abort(404)
