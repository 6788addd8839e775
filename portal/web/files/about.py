"""What a person writes about a file: its name, a note and labels, changed in place, and without JavaScript too."""

from flask import Blueprint, Response, abort, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user, login_required

from portal.clock import utcnow
from portal.documents.models import Document
from portal.jobs import queries
from portal.jobs.files import naming
from portal.jobs.files.naming import Naming
from portal.jobs.models import ScrapingJob
from portal.web.access import wants_fragment

blueprint = Blueprint("about_file", __name__)


@blueprint.post("/jobs/<id:job_id>/name")
@login_required
def name_job(job_id: int) -> Response:
    """Give a job's file another name, a note and labels."""
    job = queries.find_job(current_user, job_id) or abort(404)
    given = _given(job.file_name)
    naming.name_job(job, given, current_user.email, utcnow())
    job = queries.find_job(current_user, job_id) or abort(404)
    return _answer(job, given, url_for("jobs.show", job_id=job_id))


@blueprint.post("/documents/<id:document_id>/name")
@login_required
def name_document(document_id: int) -> Response:
    """The same for a file that was not started; only its owner may."""
    document = queries.find_document(current_user, document_id)
    if document is None or document.user_id != current_user.id:
        abort(404)
    given = _given(document.file_name)
    naming.name_document(document, given)
    return _answer(document, given, url_for("documents.show", document_id=document_id))


def _given(old_name: str) -> Naming:
    form = request.form
    return Naming.of(form.get("name", ""), form.get("note", ""), form.get("labels", ""), old_name)


def _answer(file: ScrapingJob | Document, given: Naming, page: str) -> Response:
    kind, words = "ok", gettext("Saved.")
    if given.left_out:
        kind, words = "warn", gettext(
            "Saved, but without %(labels)s: a file has at most five labels, of at most %(letters)s letters.",
            labels=", ".join(given.left_out), letters=naming.LABEL_LENGTH,
        )  # fmt: skip
    if wants_fragment():
        saved = {"toast": words, "toast_kind": kind}
        return make_response(render_template("documents/_about_saved.html", file=file, **saved))
    flash(words, kind)
    return make_response(redirect(page, 303))
