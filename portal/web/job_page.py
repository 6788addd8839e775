"""What the job's page shows, gathered for its templates: the whole page, and the parts that are polled while
it is open. Read-only: it uses `queries` and words.
"""

import secrets
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from flask import current_app, render_template, request, session
from flask_babel import get_locale
from flask_login import current_user

from portal import sources
from portal.causes import CauseCode
from portal.clock import utcnow
from portal.documents.reader.sheet_file import column_letter
from portal.jobs import corrections, excluded_numbers, queries, repeats, shares, turns
from portal.jobs.core import answer_samples, derived, retention
from portal.jobs.core.job_tables import CellAnswer
from portal.jobs.core.repeat_rule import LAST_DAY
from portal.jobs.core.status import CellStatus, Status
from portal.jobs.export import (
    Group,
    comes_back_as_it_was,
    loss_words,
    own_format,
    own_names,
)
from portal.jobs.health.processes import WorkerKind, alive_workers
from portal.jobs.models import ScrapingJob
from portal.jobs.result.kept import open_index
from portal.jobs.spending.next_sources import next_sources
from portal.jobs.spending.room import room_of
from portal.jobs.words.repeats import rule_words, weekday_words
from portal.jobs.words.statuses import cannot_start_words, list_words
from portal.sources.base import Outcome
from portal.sources.words import sample_words, version_words
from portal.web import result_page
from portal.web.merge.view import view_of_job
from portal.web.request_fields import whole
from portal.web.result_page import ALL

SEARCHES = "row_searches"
MOST_SEARCHES = 5  # of one browser, in its cookie
TONES = {
    CellStatus.FOUND: "ok",
    CellStatus.NOT_FOUND: "idle",
    CellStatus.INVALID: "warn",
    CellStatus.REJECTED: "warn",
    CellStatus.FAILED: "bad",
    CellStatus.WAITING: "run",
    CellStatus.BLANK: "blank",
}


@dataclass(frozen=True)
class CauseChoice:
    """One reason why rows have no answer, and whether its rows are ticked for a retry."""

    reason: str
    count: int
    temporary: bool
    ticked: bool


def _file_facts(job: ScrapingJob) -> dict[str, str]:
    """What was chosen on the check page, in words where there are any."""
    sheet = next((facts for facts in job.document.sheets if facts.get("index") == job.sheet), {})
    header = _header_of(job)
    locale = get_locale()
    return {
        "sheet": str(sheet.get("name", "")),
        "column": ", ".join(_own_name(column, header) for column in job.columns),
        "country": str(locale.territories.get(job.country, job.country)) if locale else job.country,
        "country_column": "" if job.country_column is None else _own_name(job.country_column, header),
        "data_version": version_words("" if job.chain else job.source_versions or _data_version(job.source)),
    }


def _own_name(column: int, header: list[str]) -> str:
    """A column's letter and heading, such as `B · Teléfono`."""
    head = header[column].strip() if column < len(header) else ""
    return " · ".join(part for part in (column_letter(column), head) if part)


def _header_of(job: ScrapingJob) -> list[str]:
    """The headings of the job's sheet, if those were chosen that were guessed."""
    sheet = next((facts for facts in job.document.sheets if facts.get("index") == job.sheet), {})
    header = sheet.get("header", []) if sheet.get("header_row") == job.header_row else []
    return [str(head) if head is not None else "" for head in header]


def _data_version(source: str) -> str:
    try:
        return sources.data_version(source)
    except sources.UnknownSource:
        return ""


def _causes(job: ScrapingJob, chosen: list[str] | None) -> list[CauseChoice]:
    return [
        CauseChoice(reason, count, temporary, temporary if chosen is None else reason in chosen)
        for reason, count, temporary in queries.failed_causes(job)
    ]


def row_filter_of(job: ScrapingJob, find: str | None = None) -> dict[str, Any]:
    """The row filter from the request, with `find` instead of its key of a search. By default all rows, or those
    without an answer if an ended job has any."""
    outcome = request.values.get("outcome", "")
    if outcome not in (*CellStatus, ALL):
        bad_first = job.failed_count and not derived.is_unfinished(job)
        outcome = Outcome.FAILED.value if bad_first else ALL
    page = max(1, request.values.get("page", default=1, type=whole))
    sort = request.values.get("sort", "")
    find = request.values.get("find", "") if find is None else find
    text = session.get(SEARCHES, {}).get(find, "")
    if outcome != ALL and not derived.is_unfinished(job) and not derived.cell_counts(job)[CellStatus(outcome)]:
        outcome = ALL  # a retry has answered them: what it found is not hidden behind the filter of what it was for
    values = result_page.values_asked(job)
    if values and outcome == Outcome.FAILED and "outcome" not in request.values:
        outcome = ALL  # only what is found has values
    found = {"outcome": outcome, "q": text, "find": find if text else "", "page": page, "sort": sort, "values": values}
    return {**found, "kept": {"outcome": outcome, "find": found["find"] or None, "sort": sort or None, **values}}


def keep_search(text: str) -> str | None:
    """Keep what was searched for in this browser's session, and return the key that stands for it in addresses: it is a
    telephone number, which must not get into histories and logs. None for an empty text."""
    text = text.strip()[:100]
    if not text:
        return None
    key = secrets.token_urlsafe(6)
    kept = list(session.get(SEARCHES, {}).items())[1 - MOST_SEARCHES :]
    session[SEARCHES] = {**dict(kept), key: text}
    return key


def _starts_at(job: ScrapingJob, now: datetime) -> datetime | None:
    workers = alive_workers(WorkerKind.SCRAPE, now)
    limit = turns.limit_of_one_person(current_app.config["PORTAL_WORKERS_PER_PERSON"], workers)
    seconds = turns.starts_in_seconds(job, now, workers, limit)
    return now + timedelta(seconds=seconds) if seconds is not None else None


def version_of(job: ScrapingJob) -> str:
    """A text that changes with what the page shows."""
    now = utcnow()
    return queries.page_version(job, now, turns.jobs_ahead(job, now))


def facts_of(
    job: ScrapingJob, chosen: list[str] | None = None, find: str | None = None, *, whole: bool = False
) -> dict[str, Any]:
    """Everything that the parts of the page need, and with `whole` what only the page itself has. `chosen` are the
    reasons ticked for a retry, if any."""
    now = utcnow()
    causes = _causes(job, chosen)
    counts = derived.outcome_counts(job)
    row_filter = row_filter_of(job, find)
    ahead = turns.jobs_ahead(job, now)
    allowed = {action.value for action in derived.actions(job)}
    chosen_cells = counts[Outcome.WAITING] + sum(cause.count for cause in causes if cause.ticked)
    excluded = _excluded_in_retry(job, causes) if "retry" in allowed else []
    return {
        "job": job,
        "now": now,
        "progress": queries.progress_of(job, now),
        "allowed": allowed,
        "tiles": _tiles(job),
        "counts": counts,
        "causes": causes,
        "chosen_cells": chosen_cells,
        "chosen_numbers": chosen_cells - sum(cells for _, cells in excluded),
        "excluded_in_retry": excluded,
        "rows_to_correct": job.failed_count + derived.cells_to_fix(job),
        "ahead": ahead,
        "starts_at": _starts_at(job, now) if ahead is not None else None,
        "summary_code": derived.summary_sentence(job, now).value,
        "cause_code": derived.cause_of(job, now),
        "version": queries.page_version(job, now, ahead),
        "moving": derived.is_unfinished(job),
        "partial": derived.is_partial(job),
        "row_filter": row_filter,
        "excluded": [(list_words(name, dated), cells) for name, dated, cells in queries.excluded(job)],
        "events": queries.timeline(job),
        "attempts": queries.attempts(job),
        "workers": shares.workers_of(job) if current_user.is_admin else [],
        "samples": answer_samples.of_job(job.id) if current_user.is_admin else [],
        "sample_words": sample_words,
        "file": _file_facts(job),
        "own_workbook": any(comes_back_as_it_was(job, kind) for kind in ("xlsx", "ods")),
        "own_format": own_format(job),
        "loss": loss_words(job.document, current_app.extensions["storage"]),
        "job_steps": queries.sources_of(job),
        "next_sources": next_sources(job, now) if "skip_source" in allowed else None,
        "caps_reached": room_of(job, now).reached if job.wait_cause == CauseCode.CAP_REACHED else [],
        "kept_days": retention.kept_days(job),
        "deleted_on": retention.deleted_on(job),
        **fixes_of(job),
        **(_repeat_facts(job) if whole or not derived.is_unfinished(job) else {}),
    }


def _tiles(job: ScrapingJob) -> list[tuple[CellStatus, int, str]]:
    """How many cells have each status, and its tone."""
    return [(status, count, TONES[status]) for status, count in derived.cell_counts(job).items()]


def _excluded_in_retry(job: ScrapingJob, causes: Iterable[Any]) -> list[tuple[str, int]]:
    """The lists of excluded numbers that numbers of the retry are on, in words, each with how many cells."""
    ticked = [cause.reason for cause in causes if cause.ticked]
    found = excluded_numbers.in_retry(job, ticked) or ()
    return [(list_words(one.name, one.dated.isoformat()), cells) for one, cells in found]


def _repeat_facts(job: ScrapingJob) -> dict[str, Any]:
    """What the page shows of the job's repeat: the rule in words, and the job that it is compared with."""
    repeat = repeats.of_job(job)
    return {
        "repeat": repeat,
        "repeat_words": rule_words(repeat.rule) if repeat else "",
        "repeat_problem": cannot_start_words(repeat.problem) if repeat and repeat.problem else "",
        "may_repeat": job.status == Status.COMPLETED,
        "weekdays": [(day, weekday_words(day)) for day in range(7)],
        "last_day": LAST_DAY,
        "before": repeats.job_before_of(job) if job.status == Status.COMPLETED else None,
    }


def fixes_of(job: ScrapingJob) -> dict[str, Any]:
    """The cells that can be corrected, for their part of the page."""
    with open_index(job, current_app.extensions["storage"], make=False) or nullcontext() as index:
        kept = index.facts["to_fix"] if index is not None else None
        places = partial(result_page.places_to_fix, index) if index is not None else None
        found = corrections.fixes_of(job, kept, places)
    names = own_names(job.columns, _header_of(job)) if job.more_columns else {}
    return {"fixes": found, "fix_groups": result_page.fix_groups(found), "fix_columns": names}


def rows_of(job: ScrapingJob, *, now: bool = True, find: str | None = None) -> dict[str, Any]:
    """The filtered rows, and once the job has ended the bars and the groups that can be downloaded. Without `now`, what
    has to be prepared for them comes later: the page asks for it."""
    row_filter = row_filter_of(job, find)
    with open_index(job, current_app.extensions["storage"], make=now) or nullcontext() as index:
        row_filter["sort"] = row_filter["kept"]["sort"] = result_page.sort_asked(index, row_filter["sort"])
        if index is not None:
            found = result_page.found_rows(job, index, row_filter)
        else:
            status = None if row_filter["outcome"] == ALL else CellStatus(row_filter["outcome"])
            asked = row_filter["values"]
            values, change = result_page.as_answered(asked), result_page.change_asked(asked)
            found = queries.numbers_page(job, status, row_filter["q"], row_filter["page"], values, change)
        bars = result_page.bars_of(job, index, row_filter["values"])
        table = result_page.table_of(job, found.rows, index, row_filter["sort"])
        facts: dict[str, Any] = index.facts if index is not None else {"groups": (), "duplicates": 0}
    attempts = queries.attempts(job)
    kept = {(number.row_no, number.column, number.place): queries.kept_at(number, attempts) for number in found.rows}
    return {
        "numbers": found,
        "row_filter": row_filter,
        "kept_at": {place: at for place, at in kept.items() if at},
        "column_names": own_names(job.columns, _header_of(job)) if job.more_columns else {},
        "duplicates": facts["duplicates"],
        "groups": [Group(**group) for group in facts["groups"]],
        "preparing": index is None and not derived.is_unfinished(job),
        "bars": bars,
        "chosen_values": result_page.chosen_values(job, row_filter["values"]),
        **table,
        "rows_open": any(number.outcome == Outcome.WAITING for number in found.rows),
    }


def found_part(job: ScrapingJob, find: str | None = None) -> str:
    """The rows and the bars under another filter, or on another page: what a link of theirs changes. `find` is the key
    of a search that has just been kept."""
    return render_template("jobs/_found.html", **{**facts_of(job, find=find), **rows_of(job, find=find)})


def page(job: ScrapingJob, refused: dict[tuple[int, int], tuple[str, str]] | None = None) -> str:
    """The whole page. `refused` is what was typed beside cells and not kept, each with the reason."""
    chosen = request.args.getlist("reasons") if "chosen" in request.args else None
    own: dict[str, Any] = {"refused": refused or {}, "merge": view_of_job(job, _header_of(job))}
    if current_user.is_admin:
        own["attempt_rows"] = queries.attempt_rows(job)
    return render_template("jobs/job.html", **{**facts_of(job, chosen, whole=True), **rows_of(job)}, **own)


def expired(job: ScrapingJob) -> str:
    """What is left of a job after its retention period: the totals."""
    return render_template("jobs/expired.html", job=job, tiles=_tiles(job))


def parts(job: ScrapingJob, toast: str = "", kind: str = "info", chosen: list[str] | None = None) -> str:
    """The parts that change, each with its target on the page. While the job runs they have the visible rows only as
    long as some of these wait for an answer: a poll then carries `rows`."""
    facts = facts_of(job, chosen)
    rows = rows_of(job) if not facts["moving"] or ("rows" in request.args and shows_all(job)) else {}
    return render_template("jobs/_parts.html", **{**facts, **rows}, toast=toast, toast_kind=kind)


def streamed_parts(job: ScrapingJob, facts: dict[str, Any], rows: dict[str, Any]) -> str:
    """The same for the stream, which sends the visible rows one by one while the job runs: `rows` only says then
    whether some of them wait."""
    shown = rows if not facts["moving"] else {"rows_open": rows.get("rows_open", False)}
    return render_template("jobs/_parts.html", **{**facts, **shown}, streamed=True)


def moved_parts(job: ScrapingJob) -> str:
    """What changes while the job only moves on, for the stream: a fifth of the work of all parts."""
    now = utcnow()
    return render_template(
        "jobs/_moved.html",
        job=job,
        progress=queries.progress_of(job, now),
        tiles=_tiles(job),
        summary_code=derived.summary_sentence(job, now).value,
        job_steps=queries.sources_of(job),
        moving=True,
        ahead=None,
        row_filter=row_filter_of(job),
    )


def number_row(job: ScrapingJob, number: CellAnswer, rows: dict[str, Any]) -> str:
    """One of the visible rows, as it is on the page."""
    return render_template("jobs/_number.html", job=job, number=number, shared=rows["numbers"].shared, **rows)


def shows_all(job: ScrapingJob) -> bool:
    """Whether the page shows rows whatever their outcome, so that an answer changes none but its own row."""
    row_filter = row_filter_of(job)
    return row_filter["outcome"] == ALL and not row_filter["q"] and not row_filter["values"]
