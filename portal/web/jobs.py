"""The pages of a job: the page itself, what it polls while it is open, and its downloads. People see their own jobs and
admins see all; any other job is a 404. Views that change a job are in `job_actions`.
"""

from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, abort, current_app, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user

from portal.clock import utcnow
from portal.jobs import commands, queries
from portal.jobs.core import derived
from portal.jobs.core.status import CellStatus
from portal.jobs.export import (
    ColumnChoice,
    ColumnsRefused,
    RowChoice,
    UnknownGroup,
    choice_from,
    columns_of,
    download_name,
    fields_of_job,
    kept_or_default,
    open_download,
)
from portal.jobs.models import ScrapingJob
from portal.web import job_page, result_page
from portal.web.access import login_required, wants_fragment
from portal.web.errors import refuse
from portal.web.headers import attach
from portal.web.locale import in_readers_language
from portal.web.request_fields import id_list

blueprint = Blueprint("jobs", __name__)
MAX_IDS_PER_POLL = 100  # a list's page has 25
OFF = ("0", "no")


def visible_job(job_id: int) -> ScrapingJob:
    """The job, or a 404 if this person may not see it."""
    return queries.find_job(current_user, job_id) or abort(404)


def _unchanged() -> Response:
    return make_response("", 204)


@blueprint.get("/jobs/<id:job_id>")
@login_required
def show(job_id: int) -> str:
    """The job's page, or its totals if its retention period has ended."""
    gone = queries.find_expired(current_user, job_id)
    if gone:
        return job_page.expired(gone)
    job = visible_job(job_id)
    return job_page.found_part(job) if wants_fragment() else job_page.page(job)


@blueprint.post("/jobs/<id:job_id>/rows")
@login_required
def search_rows(job_id: int) -> Response:
    """Search the rows for a number; the address of the page that follows does not contain it."""
    job = visible_job(job_id)
    key = job_page.keep_search(request.form.get("q", ""))
    sort = request.form.get("sort") or None
    kept: dict[str, Any] = {"outcome": request.form.get("outcome"), "find": key, "sort": sort}
    address = {"job_id": job.id, **kept, **result_page.values_asked(job), "_anchor": "rows"}
    if not wants_fragment():
        return make_response(redirect(url_for("jobs.show", **address), 303))
    answer = make_response(job_page.found_part(job, find=key or ""))
    answer.headers["HX-Push-Url"] = url_for("jobs.show", **address)
    return answer


@blueprint.get("/jobs/<id:job_id>/live")
@login_required
def live(job_id: int) -> str | Response:
    """The parts that change, or 204 while nothing changed: `v` is the version that the open page shows."""
    job = visible_job(job_id)
    if request.args.get("v") == job_page.version_of(job):
        return _unchanged()
    return job_page.parts(job)


@blueprint.get("/jobs/live")
@login_required
def live_list() -> str | Response:
    """The same for the rows of a list: `ids` are the jobs that were still running."""
    jobs = queries.find_jobs(current_user, id_list(request.args.get("ids", ""))[:MAX_IDS_PER_POLL])
    if request.args.get("v") == derived.version_of_all(jobs):
        return _unchanged()
    return render_template("jobs/_live_list.html", jobs=jobs, everybody=_is_admin_list())


@blueprint.get("/jobs/<id:job_id>/results")
@blueprint.get("/jobs/<id:job_id>/results.<any(xlsx, csv, ods):kind>")
@login_required
def results(job_id: int, kind: str | None = None) -> Response:
    """The person's file with the answers so far: all rows, those to fix (`rows=failed`), a group, or those with an
    outcome (`outcome=found`) or with values of their answers (`province=Madrid`).

    Without an ending in the address, in the format of the file that was uploaded. The columns are those that the person
    has saved for the source, else the portal's default; `columns=` and `summary` ask for others.
    """
    if queries.find_expired(current_user, job_id):
        return make_response(redirect(url_for("jobs.show", job_id=job_id), 303))  # it says until when they were kept
    job = visible_job(job_id)
    try:
        columns = _chosen_columns(job)
    except ColumnsRefused as error:
        return refuse(gettext("These columns cannot be added"), " ".join(error.problems.values()))
    return send(job, kind, columns)


def send(job: ScrapingJob, kind: str | None, columns: ColumnChoice, choice: RowChoice | None = None) -> Response:
    """The file with these columns, and with the rows of this choice, by default those that the address chooses."""
    rows, group = request.args.get("rows", "all"), request.args.get("group")
    try:
        choice = choice or _chosen_rows(job)
        download = open_download(
            job, current_app.extensions["storage"], kind, rows=rows, group=group, choice=choice, columns=columns
        )
    except (ValueError, UnknownGroup, FileNotFoundError):
        abort(404)
    try:
        name = download_name(
            job, download.extension, rows, group, choice=choice, is_replacement=download.is_replacement
        )
        if request.method != "HEAD":
            commands.note_download(job.id, current_user.email, name, utcnow())
    except BaseException:
        download.close()  # nobody else will: no answer has it
        raise
    pieces = in_readers_language(current_app._get_current_object(), download.pieces)  # type: ignore[attr-defined]
    answer = Response(pieces, content_type=download.mimetype)
    answer.call_on_close(download.close)
    attach(answer, name)
    answer.cache_control.no_cache = True
    if download.size is not None:
        answer.content_length = download.size
    return answer


def _chosen_rows(job: ScrapingJob) -> RowChoice:
    """What the address chooses: Raises ValueError for an unknown outcome."""
    outcome = request.args.get("outcome", "")
    asked = result_page.values_asked(job)
    status, change = CellStatus(outcome) if outcome else None, result_page.change_asked(asked)
    return RowChoice(status, result_page.as_answered(asked), change=change)


def _chosen_columns(job: ScrapingJob) -> ColumnChoice:
    """What the address chooses, else what the person has saved. Raises ColumnsRefused."""
    asked = request.args.get("columns")
    if asked is None:
        choice = kept_or_default(current_user.id, job.all_sources)
    else:
        choice = choice_from(asked, columns_of(fields_of_job(job)), job.all_sources)
    if "summary" in request.args:
        choice = replace(choice, with_summary=request.args["summary"] not in OFF)
    return choice


def _is_admin_list() -> bool:
    return "everybody" in request.args and bool(current_user.is_admin)
