"""The page on which a person chooses the columns that are added to a file: which, in what order, under which names."""

from collections.abc import Mapping

from flask import Blueprint, Response, current_app, flash, make_response, redirect, render_template, request, url_for
from flask_babel import get_timezone, gettext
from flask_login import current_user

from portal.clock import utcnow
from portal.jobs.export import (
    LONGEST_NAME,
    Column,
    ColumnChoice,
    ColumnsRefused,
    Pick,
    checked,
    columns_of,
    fields_of_job,
    forget_choice,
    keep_choice,
    kept_choice,
    kept_or_default,
    preview_columns,
    titles_of,
)
from portal.jobs.models import ScrapingJob
from portal.web.access import login_required, wants_fragment
from portal.web.jobs import send, visible_job

blueprint = Blueprint("columns", __name__)
REFUSED = 422


@blueprint.get("/jobs/<id:job_id>/columns")
@login_required
def show(job_id: int) -> str:
    """What the person has saved for the job's source, or the portal's default."""
    job = visible_job(job_id)
    return _page(job, kept_or_default(current_user.id, job.all_sources), {})


@blueprint.post("/jobs/<id:job_id>/columns")
@login_required
def change(job_id: int) -> Response:
    """Do what the pressed button says with the choice in the form: `do` is `save`, `download` or `default`, and `move`
    such as `up:status` moves a column. Without either, the page comes with the choice as it will be written."""
    job = visible_job(job_id)
    verb = request.form.get("do", "")
    if verb == "default":
        forget_choice(current_user.id, job.all_sources)
        return _back(job_id, gettext("The portal's default columns are back."))
    columns = columns_of(fields_of_job(job))
    sent = _sent(columns)
    try:
        choice = ColumnChoice(checked(_sent_picks(), columns, job.all_sources), sent.with_summary, sent.keeps_empty)
    except ColumnsRefused as error:
        status = REFUSED if verb in ("save", "download") and not wants_fragment() else 200
        return make_response(_page(job, sent, error.problems), status)
    if verb == "save":
        keep_choice(current_user.id, job.all_sources, choice, utcnow())
        return _back(job_id, gettext("Saved. From now on, your files from this source come with these columns."))
    if verb == "download":
        return send(job, None, choice)
    return make_response(_page(job, sent, {}))


def _back(job_id: int, message: str) -> Response:
    flash(message, "ok")
    return make_response(redirect(url_for("columns.show", job_id=job_id), 303))


def _sent_picks() -> list[Pick]:
    shown = set(request.form.getlist("on"))
    return [Pick(name, name in shown, request.form.get(f"name.{name}", "")) for name in request.form.getlist("column")]


def _sent(columns: tuple[Column, ...]) -> ColumnChoice:
    """The choice in the form as far as it can be shown again, with the column moved that is to be moved."""
    sent = ColumnChoice(tuple(_sent_picks()))
    picks = list(sent.picks_of(columns))
    where, _, name = request.form.get("move", "").partition(":")
    place = next((place for place, pick in enumerate(picks) if pick.id == name), None)
    if place is not None and where in ("up", "down"):
        picks.insert(max(0, place + (1 if where == "down" else -1)), picks.pop(place))
    return ColumnChoice(tuple(picks), "summary" in request.form, "keep_empty" in request.form)


def _page(job: ScrapingJob, choice: ColumnChoice, problems: Mapping[str, str]) -> str:
    columns = columns_of(fields_of_job(job))
    titles = titles_of(columns, job.all_sources)
    picks = choice.picks_of(columns)
    # What is refused stays in its field; the preview shows the column under its own name.
    tried = tuple(pick._replace(name="") if pick.id in problems else pick for pick in picks)
    preview = preview_columns(
        job,
        current_app.extensions["storage"],
        ColumnChoice(tried, keeps_empty=choice.keeps_empty) if "" not in problems else choice,
    )
    return render_template(
        "jobs/_columns.html" if wants_fragment() else "jobs/columns.html",
        job=job,
        picks=picks,
        titles=titles,
        choice=choice,
        problems=problems,
        preview=preview,
        is_kept=kept_choice(current_user.id, job.all_sources) is not None,
        longest=LONGEST_NAME,
        zone=str(get_timezone()),
        moved=request.form.get("move", ""),
    )
