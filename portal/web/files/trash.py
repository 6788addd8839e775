"""The trash, and what several ticked files are done with at once: deleted, restored, deleted for good, downloaded."""

from collections.abc import Callable

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import format_decimal, gettext, ngettext
from flask_login import current_user, login_required

from portal.clock import utcnow
from portal.jobs.files import trash
from portal.web.files.items import DOCUMENT, JOB, Item, documents_in, items_of_form, jobs_in
from portal.web.home import flash_deleted

blueprint = Blueprint("trash", __name__)


@blueprint.post("/jobs/delete")
@login_required
def delete_several() -> ResponseReturnValue:
    """Move the ticked files to the trash: results, and files that were never started."""
    items, now = items_of_form(), utcnow()
    wanted_jobs = [(job.id, job.file_name) for job in jobs_in(items)]
    wanted_documents = [(one.id, one.file_name) for one in documents_in(items)]
    actor = current_user.email
    gone = [(f"{JOB}-{its_id}", name) for its_id, name in wanted_jobs if trash.put_job(its_id, actor, now)]
    gone += [(f"{DOCUMENT}-{its_id}", name) for its_id, name in wanted_documents if trash.put_document(its_id, now)]
    if gone:
        flash_deleted([name for _, name in gone], [item for item, _ in gone])
    else:
        flash(gettext("Select at least one file first."), "info")
    return redirect(url_for("documents.index"), 303)


@blueprint.get("/trash")
@login_required
def show() -> str:
    """What the person has deleted, and can still restore."""
    found = trash.contents(current_user.id)
    return render_template("documents/trash.html", found=found, days=trash.KEPT.days)


@blueprint.post("/trash/job/<id:job_id>/restore", defaults={"document_id": None})
@blueprint.post("/trash/document/<id:document_id>/restore", defaults={"job_id": None})
@login_required
def restore(job_id: int | None, document_id: int | None) -> ResponseReturnValue:
    """Take one file out of the trash."""
    return _restored([_item(job_id, document_id)]) or abort(404)


@blueprint.post("/trash/job/<id:job_id>/delete", defaults={"document_id": None})
@blueprint.post("/trash/document/<id:document_id>/delete", defaults={"job_id": None})
@login_required
def purge(job_id: int | None, document_id: int | None) -> ResponseReturnValue:
    """Delete one file in the trash for good, now."""
    return _purged([_item(job_id, document_id)]) or abort(404)


@blueprint.post("/trash/restore")
@login_required
def restore_several() -> ResponseReturnValue:
    """Take the named files out of the trash."""
    return _restored(items_of_form()) or _nothing()


@blueprint.post("/trash/delete")
@login_required
def purge_several() -> ResponseReturnValue:
    """Delete the named files in the trash for good, or with `all` everything in it."""
    items = items_of_form()
    if "all" in request.form:
        found = trash.contents(current_user.id)
        items = [*(Item(JOB, one.id) for one in found.jobs), *(Item(DOCUMENT, one.id) for one in found.documents)]
    return _purged(items) or _nothing()


def _item(job_id: int | None, document_id: int | None) -> Item:
    return Item(DOCUMENT, document_id or 0) if job_id is None else Item(JOB, job_id)


def _restored(items: list[Item]) -> Response | None:
    now, actor = utcnow(), current_user.email
    verbs: dict[str, Callable[[int], object]] = {
        JOB: lambda job_id: trash.restore_job(job_id, actor, now),
        DOCUMENT: lambda document_id: trash.restore_document(document_id, now),
    }
    done = _each(items, verbs)
    if not done:
        return None
    sentence = ngettext("%(n)s file was restored.", "%(n)s files were restored.", done, n=format_decimal(done))
    flash(sentence, "ok")
    if len(items) == 1 and items[0].kind == JOB:
        return make_response(redirect(url_for("jobs.show", job_id=items[0].its_id), 303))
    return make_response(redirect(url_for("documents.index"), 303))


def _purged(items: list[Item]) -> Response | None:
    now, actor, storage = utcnow(), current_user.email, current_app.extensions["storage"]
    verbs: dict[str, Callable[[int], object]] = {
        JOB: lambda job_id: trash.purge_job(job_id, actor, now, storage),
        DOCUMENT: lambda document_id: trash.purge_document(document_id, now, storage),
    }
    done = _each(items, verbs)
    if not done:
        return None
    sentence = ngettext(
        "%(n)s file was deleted permanently.", "%(n)s files were deleted permanently.", done, n=format_decimal(done)
    )
    flash(sentence, "ok")
    return make_response(redirect(url_for("trash.show"), 303))


def _each(items: list[Item], verbs: dict[str, Callable[[int], object]]) -> int:
    """Apply the verb of its kind to each item that this person may see, and count those that changed."""
    seen = {JOB: trash.job_in_trash, DOCUMENT: trash.document_in_trash}
    user = current_user._get_current_object()
    there = [item for item in items if seen[item.kind](user, item.its_id)]
    return sum(bool(verbs[item.kind](item.its_id)) for item in there)


def _nothing() -> Response:
    flash(gettext("Select at least one file first."), "info")
    return make_response(redirect(url_for("trash.show"), 303))
