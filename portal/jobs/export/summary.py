"""The sheet that sums a file up: numbers by status and by what the source says of them, the source and the date."""

from datetime import datetime
from zoneinfo import ZoneInfo

from flask_babel import format_datetime, gettext
from sqlalchemy import func, select

from portal.database import db
from portal.jobs.core import derived
from portal.jobs.core.job_tables import Number
from portal.jobs.export.download_groups import MOST_VALUES
from portal.jobs.export.in_place.extra_sheet import ExtraSheet
from portal.jobs.export.lines import ExportPlan
from portal.jobs.models import ScrapingJob
from portal.jobs.words.statuses import outcome_words
from portal.sources.base import Outcome
from portal.sources.words import field_label, value_words

Row = tuple[str, str | int]


def summary_sheet(job: ScrapingJob, plan: ExportPlan, now: datetime) -> ExtraSheet:
    """The sums, in the reader's language and time zone. Fields with more than sixty values have none."""
    rows: list[Row] = [(gettext("Status"), gettext("Numbers"))]
    rows += [(outcome_words(outcome), count) for outcome, count in derived.outcome_counts(job).items() if count]
    for field in plan.fields:
        rows += _values(job.id, field, plan.source)
    made = format_datetime(now.astimezone(ZoneInfo(plan.time_zone)), "medium", rebase=False)
    rows += [("", ""), (gettext("Source"), plan.about), (gettext("Date"), made)]
    return ExtraSheet(gettext("Summary"), rows)


def _values(job_id: int, field: str, source: str) -> list[Row]:
    value = Number.answer[field].as_string().label("one_value")
    answered = (Number.job_id == job_id, Number.outcome == Outcome.FOUND, Number.cells > 0)
    counted = select(value, func.sum(Number.cells)).where(*answered).group_by("one_value").limit(MOST_VALUES + 1)
    found = {value or "": count for value, count in db.session.execute(counted)}
    if not any(found) or len(found) > MOST_VALUES:
        return []
    largest_first = sorted(found.items(), key=lambda item: (not item[0], -item[1], item[0]))
    words = [(value_words(field, value) if value else gettext("without data"), count) for value, count in largest_first]
    return [("", ""), (field_label(field, source), gettext("Numbers")), *words]
