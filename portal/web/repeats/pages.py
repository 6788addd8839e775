"""A file that is repeated: its rule, set and ended on its page, and the answers that are not the same as last time."""

from collections.abc import Mapping
from datetime import time
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request
from flask_babel import gettext
from flask_login import current_user

from portal.clock import utcnow
from portal.jobs import repeats
from portal.jobs.core.answer_changes import AnswerChange
from portal.jobs.core.repeat_rule import LAST_DAY, Every, RepeatRule
from portal.jobs.core.status import Status
from portal.jobs.export import answer_headings, fields_of_job
from portal.jobs.models import ScrapingJob
from portal.jobs.words.repeats import rule_words
from portal.jobs.words.statuses import outcome_words
from portal.sources.words import field_label, value_words
from portal.web.access import login_required
from portal.web.job_actions import already_changed, invalid_input, respond
from portal.web.jobs import visible_job
from portal.web.locale import chosen_time_zone
from portal.web.tables import Column, Table, Value

blueprint = Blueprint("repeats", __name__)

ON_THE_PAGE = 200  # changed numbers; the file has them all


@blueprint.post("/jobs/<id:job_id>/repeat")
@login_required
def set_rule(job_id: int) -> Response:
    """Look the file up again at fixed times."""
    job = visible_job(job_id)
    if job.status != Status.COMPLETED:
        return already_changed(job_id)
    rule = _rule()
    if rule is None:
        return invalid_input(job_id, gettext("Choose how often and at what time the file is looked up again."))
    repeat = repeats.set_repeat(job, rule, current_user.email, utcnow())
    return respond(job_id, gettext("The file is looked up again %(when)s.", when=rule_words(repeat.rule)))


@blueprint.post("/jobs/<id:job_id>/repeat/stop")
@login_required
def stop(job_id: int) -> Response:
    """Look the file up again no more."""
    if not repeats.stop(visible_job(job_id), current_user.email, utcnow()):
        return already_changed(job_id)
    return respond(job_id, gettext("The file is not looked up again."))


@blueprint.get("/jobs/<id:job_id>/changes")
@login_required
def changes(job_id: int) -> str:
    """What is not the same as the last time that the file was looked up."""
    job = visible_job(job_id)
    before = repeats.job_before_of(job)
    headings = _headings(job)
    rows = [_row(change, headings) for change in repeats.changes_since(before, job, ON_THE_PAGE)] if before else []
    count = repeats.count_since(before, job) if before and len(rows) == ON_THE_PAGE else len(rows)
    return render_template("jobs/changes.html", job=job, before=before, rows=rows, count=count)


@blueprint.get("/jobs/<id:job_id>/changes.csv")
@login_required
def changes_file(job_id: int) -> Response:
    """The same as a CSV file, with all of them."""
    job = visible_job(job_id)
    before = repeats.job_before_of(job)
    columns = [
        Column("row", gettext("Row"), "word"), Column("number", gettext("Number"), "word"),
        Column("what", gettext("What changed"), "word"), Column("before", gettext("Last time"), "word"),
        Column("now", gettext("Now"), "word"),
    ]  # fmt: skip
    headings = _headings(job)
    rows: list[list[Value]] = [
        [str(row["row"]), row["number"], *line]
        for row in (_row(change, headings) for change in (repeats.changes_since(before, job) if before else ()))
        for line in row["lines"]
    ]
    answer = make_response(Table("changes", gettext("What changed"), columns, rows).as_csv())
    answer.mimetype = "text/csv"
    name = gettext("changes")
    answer.headers["Content-Disposition"] = f"attachment; filename={name}-{job.id}.csv"
    return answer


def _rule() -> RepeatRule | None:
    form = request.form
    try:
        every = Every(form.get("every", ""))
        hour, minute = form.get("at", "").split(":")[:2]
        at = time(int(hour), int(minute))
        day = int(form.get({Every.WEEK: "weekday", Every.MONTH: "monthday"}.get(every, ""), "0"))
    except ValueError:
        return None
    fits = {Every.DAY: True, Every.WEEK: 0 <= day <= 6, Every.MONTH: 1 <= day <= LAST_DAY}
    return RepeatRule(every, day, at, chosen_time_zone()) if fits[every] else None


def _headings(job: ScrapingJob) -> dict[str, str]:
    """What the fields of its answers are called in its files."""
    return answer_headings(fields_of_job(job), job.all_sources)


def _row(change: AnswerChange, headings: Mapping[str, str]) -> dict[str, Any]:
    """One changed number for the table: each field that differs, with what it was and is."""
    fields = [
        (name, change.before.get(name, ""), change.now.get(name, ""))
        for name in dict.fromkeys((*change.before, *change.now))
        if change.before.get(name, "") != change.now.get(name, "")
    ]
    lines = [
        (headings.get(name) or field_label(name), value_words(name, was), value_words(name, now))
        for name, was, now in fields
    ]
    if change.outcome_before != change.outcome:
        was = outcome_words(change.outcome_before) if change.outcome_before else ""
        lines.insert(0, (gettext("Status"), was, outcome_words(change.outcome)))
    return {"row": change.row, "number": change.e164, "lines": lines}
