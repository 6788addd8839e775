"""The home page, the upload, and the check page that shows what will be looked up before a file is started."""

from typing import Any

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
from flask_babel import gettext
from flask_login import current_user, login_required
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge

from portal.clock import utcnow
from portal.documents import words as document_words
from portal.documents.example import example_workbook
from portal.documents.models import Document, Reading
from portal.documents.upload import UploadRefusal, UploadRefused, clean_name
from portal.jobs import commands, queries, uploads
from portal.jobs.core.merge_tables import Asks
from portal.jobs.files import trash
from portal.jobs.quotas import uploads_spent
from portal.jobs.words.statuses import cannot_start_words
from portal.web import check_page
from portal.web.access import unauthorized, wants_fragment
from portal.web.errors import drain_request
from portal.web.further_sources import next_sources
from portal.web.home import files_list, flash_deleted, home
from portal.web.start_options import StartRefused, read_start

blueprint = Blueprint("documents", __name__)
MB = 1024 * 1024


@blueprint.get("/")
@login_required
def index() -> ResponseReturnValue:
    """The upload form and the person's files, filtered by the query string."""
    return files_list() if wants_fragment() else home()


@blueprint.post("/documents")
@login_required
def upload() -> ResponseReturnValue:
    """Receive a file, or several, and redirect to its check page, or to the page with a card for each; problems are
    shown on the same page."""
    files: list[FileStorage | None] = [*request.files.getlist("file")] or [None]
    limit = current_app.config["MAX_UPLOAD_MB"] * MB
    stored: list[int] = []
    refused: list[str] = []
    for file in files:
        if uploads_spent(current_user.id, utcnow()):
            refused.append(cannot_start_words("files_spent"))
            break
        stream, name = (file.stream, file.filename) if file else (None, None)
        try:
            stored.append(uploads.store_upload(stream, name, current_user.id, _storage(), limit, utcnow()).id)
        except UploadRefused as error:
            sentence = refusal_words(error.refusal)
            refused.append(f"{clean_name(file.filename)}: {sentence}" if file and len(files) > 1 else sentence)
    if not stored:
        return _refused_with(" ".join(refused))
    for sentence in refused:
        flash(sentence, "bad")
    several = url_for("several.check", ids=",".join(map(str, stored)))
    address = url_for("documents.show", document_id=stored[0]) if len(stored) == 1 else several
    if request.headers.get("HX-Request") == "true":
        return Response(headers={"HX-Redirect": address})
    return redirect(address, 303)


@blueprint.errorhandler(RequestEntityTooLarge)
def too_large(error: RequestEntityTooLarge) -> ResponseReturnValue:
    """The request was so large that Flask did not even parse it."""
    drain_request()
    return _refused_with(refusal_words(UploadRefusal.TOO_LARGE)) if current_user.is_authenticated else unauthorized()


@blueprint.get("/example.xlsx")
@login_required
def example() -> ResponseReturnValue:
    """A small file for trying the portal."""
    name, content = example_file()
    answer = make_response(content)
    answer.mimetype = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    answer.headers["Content-Disposition"] = f"attachment; filename={name}"
    return answer


def example_file() -> tuple[str, bytes]:
    """The name and the content of the example, in the reader's language."""
    head = [gettext("Name"), gettext("Phone"), gettext("Note")]
    rows = [
        ["Ana", "612 345 678", gettext("A mobile")],
        ["Luis", "+34 912 345 678", gettext("With its country code")],
        ["Eva", "0034 931 234 567", gettext("With 00 instead of +")],
        ["John", "+1 202 555 0143", gettext("From another country")],
        ["Ana", "612345678", gettext("Repeated: looked up once")],
        ["Sam", "555", gettext("Too short: you will see the reason")],
        ["Leo", "", gettext("Blank: left as it is")],
    ]
    name = gettext("example")
    return f"{name}.xlsx", example_workbook(gettext("Contacts"), head, rows)


@blueprint.get("/documents/<id:document_id>")
@login_required
def show(document_id: int) -> ResponseReturnValue:
    """The check page: being read, refused, or a preview of the choices in the query string."""
    page = _check(_document(document_id), request.args)
    if not wants_fragment():
        return render_template("documents/check.html", **page)
    answer = make_response(render_template("documents/_state.html", **page))
    if page["look"]:  # the URL carries the choice, so that the page can be reloaded and shared
        answer.headers["HX-Replace-Url"] = url_for("documents.show", document_id=document_id, **page["fields"])
    return answer


@blueprint.get("/documents/<id:document_id>/live")
@login_required
def live(document_id: int) -> ResponseReturnValue:
    """The check page once something changed; 204 while the page is up to date."""
    page = _check(_document(document_id), MultiDict({"source": request.args.get("source", "")}))
    if request.args.get("v") == page["version"]:
        return "", 204
    return render_template("documents/_live.html", **page)


@blueprint.get("/documents/<id:document_id>/row")
@login_required
def row(document_id: int) -> ResponseReturnValue:
    """The document as a row of the list; 204 while it is being read."""
    document = _document(document_id)
    if document.state == Reading.READING:
        return "", 204
    return render_template("documents/_row.html", document=document)


@blueprint.post("/documents/<id:document_id>/delete")
@login_required
def delete(document_id: int) -> ResponseReturnValue:
    """Move a document that has not been started to the trash."""
    document = _own_document(document_id)
    name = document.file_name
    if trash.put_document(document.id, utcnow()):
        flash_deleted([name], [f"document-{document_id}"])
    else:
        flash(
            gettext(
                "%(name)s has already been started, so it was not removed. Delete it from its own page.", name=name
            ),
            "info",
        )
    return redirect(url_for("documents.index"), 303)


@blueprint.post("/documents/<id:document_id>/jobs")
@login_required
def start(document_id: int) -> ResponseReturnValue:
    """Start a job with these choices. `recount` previews them instead; so does choosing another sheet, whose columns
    were not on the page."""
    document = _own_document(document_id)
    page = _check(document, request.form)
    if page["look"] is None or page["problems"]:
        return render_template("documents/check.html", **page), 422
    if "add_source" in request.form:
        address = url_for("documents.show", document_id=document.id, **page["fields"], open_part="source")
        return redirect(f"{address}#add-source", 303)
    if "recount" in request.form or page["look"].picked.sheet_changed:
        return redirect(url_for("documents.show", document_id=document.id, **page["fields"]), 303)
    try:
        options, then = read_start(request.form, utcnow()), next_sources(page["further"])
    except StartRefused as error:
        page["problems"] = [str(error)]
        return render_template("documents/check.html", **page), 422
    merge = page["merge"]
    if "merge" in request.form and (merge is None or not merge.is_ready or merge.version != request.form["merge"]):
        page["problems"] = [cannot_start_words("merge_changed")]
        return render_template("documents/check.html", **page), 422
    merged = merge.to_start if merge and "merge" in request.form else None
    begun = request.form.get("begun", type=int)
    job = uploads.job_started_since(document, begun)
    if job is None:
        try:
            look = page["look"]
            job = commands.start(
                document, look.picked.choice, page["source"], current_user, utcnow(), begun=begun, found=look.figures,
                first=options.first, start_at=options.at, cost_cap=options.cost_cap, then=then, merge=merged,
                known_days=0 if merged and merged.asks == Asks.EVERYTHING else options.known_days,
            )  # fmt: skip
        except commands.CannotStart as error:
            page["problems"] = [cannot_start_words(error.code)]
            return render_template("documents/check.html", **page), 422
    return redirect(url_for("jobs.show", job_id=job.id), 303)


def _storage() -> Any:
    return current_app.extensions["storage"]


def _document(document_id: int) -> Document:
    return queries.find_document(current_user, document_id) or abort(404)


def _own_document(document_id: int) -> Document:
    """Admins may view any document; only its owner may act on it, because the job will be the owner's."""
    document = _document(document_id)
    return document if document.user_id == current_user.id else abort(404)


def refusal_words(refusal: UploadRefusal) -> str:
    """What was wrong with an upload, and what to do about it."""
    sentences = {
        UploadRefusal.NO_FILE: gettext("Choose a file first: the spreadsheet with your numbers."),
        UploadRefusal.TOO_LARGE: gettext(
            "The file is larger than %(limit)s MB. Split it into several files, or delete the sheets you do not need.",
            limit=current_app.config["MAX_UPLOAD_MB"],
        ),
        UploadRefusal.STORAGE_AWAY: gettext(
            "The file could not be saved right now. There is nothing wrong with it: try again in a few minutes."
        ),
        UploadRefusal.NOT_STORED: gettext(
            "The file could not be saved: the portal has no space left. "
            "Ask an administrator to free some, and try again."
        ),
    }
    return sentences.get(refusal) or document_words.problem_words(refusal.value)


def _refused_with(sentence: str) -> ResponseReturnValue:
    """Show what was wrong with an upload: as a fragment for the script, else on the same page."""
    if request.headers.get("HX-Request") == "true":
        return render_template("documents/_problem.html", problem=sentence), 422
    return home(sentence)


def _check(document: Document, fields: MultiDict[str, str]) -> dict[str, Any]:
    return check_page.page_of(document, fields, utcnow())
