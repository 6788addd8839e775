"""A new list over an old one: the page on which the earlier file is chosen, and its comparison on the check page."""

from itertools import islice
from typing import Any

from flask import (
    Blueprint,
    Response,
    abort,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required
from werkzeug.datastructures import MultiDict

from portal.clock import utcnow
from portal.documents.check import cells_of
from portal.documents.models import Document
from portal.jobs import queries
from portal.jobs.export import RowChoice, kept_or_default
from portal.jobs.merge import candidates, drafts
from portal.jobs.merge.changed_rows import RowSet
from portal.web import check_page
from portal.web.jobs import send, visible_job
from portal.web.merge.view import version_of

blueprint = Blueprint("earlier_list", __name__)

LOOKED_AT = 20_000  # cells of the new file, for numbers that it has in common with earlier ones


@blueprint.get("/documents/<id:document_id>/earlier-list")
@login_required
def choose(document_id: int) -> ResponseReturnValue:
    """The person's earlier files, the likeliest first."""
    document = _own_document(document_id)
    page = check_page.page_of(document, request.args, utcnow())
    look = page["look"]
    if look is None:
        return redirect(url_for("documents.show", document_id=document.id), 303)
    corrected = {(one.row_no, one.column): one.corrected for one in look.corrections}
    cells = islice(cells_of(look.path, look.picked.choice, corrected), LOOKED_AT)
    searched = request.args.get("q", "").strip()[:100]
    found = candidates.earlier_lists(document, look.picked.header, candidates.some_numbers(cells), searched)
    return render_template("documents/earlier_list.html", **page, lists=found, searched=searched)


@blueprint.post("/documents/<id:document_id>/earlier-list")
@login_required
def compare(document_id: int) -> ResponseReturnValue:
    """Compare the file with an earlier one (`before`, the id of its job) by a column (`key`), by default the
    likeliest."""
    document = _own_document(document_id)
    page = check_page.page_of(document, request.form, utcnow())
    look = page["look"]
    if look is None or page["problems"]:
        return render_template("documents/check.html", **page), 422
    key = request.form.get("key", type=int)
    column = key if key is not None and look.picked.sheet.has_column(key) else None
    before = request.form.get("before", type=int) or 0
    if drafts.ask(document, before, look.picked.choice, page["corrected"], column, utcnow()) is None:
        abort(404)
    return _back(document_id, {**page["fields"], "open_part": request.form.get("open_part") or None})


@blueprint.post("/documents/<id:document_id>/earlier-list/remove")
@login_required
def remove(document_id: int) -> ResponseReturnValue:
    """Start the file without an earlier one."""
    document = _own_document(document_id)
    page = check_page.page_of(document, request.form, utcnow())
    drafts.drop(document_id)
    return _back(document_id, {name: value for name, value in page.get("fields", {}).items() if name != "merge_asks"})


@blueprint.get("/documents/<id:document_id>/earlier-list/state")
@login_required
def state(document_id: int) -> ResponseReturnValue:
    """The check page once the lists are compared; 204 while they are not."""
    document = _own_document(document_id)
    merge = drafts.draft_of(document_id)
    if merge is not None and version_of(merge) == request.args.get("v"):
        drafts.ask_again(merge, utcnow())
        return "", 204
    page = check_page.page_of(document, _without_version(request.args), utcnow())
    answer = make_response(render_template("documents/_state.html", **page))
    if page["look"]:
        answer.headers["HX-Replace-Url"] = url_for("documents.show", document_id=document_id, **page["fields"])
    return answer


@blueprint.get("/jobs/<id:job_id>/earlier-rows")
@login_required
def earlier_rows(job_id: int) -> Response:
    """The rows of the earlier file that are not in the new one, with the answers that they had there."""
    job = visible_job(job_id)
    merge = drafts.of_job(job)
    before = drafts.earlier_job(merge, current_user) if merge else None
    if merge is None or before is None:
        abort(404)
    return send(before, None, kept_or_default(current_user.id, before.all_sources), RowChoice(rows=RowSet(merge.id)))


def _without_version(fields: MultiDict[str, str]) -> MultiDict[str, str]:
    return MultiDict([(name, value) for name, value in fields.items(multi=True) if name != "v"])


def _back(document_id: int, fields: dict[str, Any]) -> Response:
    return make_response(redirect(url_for("documents.show", document_id=document_id, **fields), 303))


def _own_document(document_id: int) -> Document:
    """Admins may view any document; only its owner may compare it with their own."""
    document = queries.find_document(current_user, document_id)
    return document if document is not None and document.user_id == current_user.id else abort(404)
