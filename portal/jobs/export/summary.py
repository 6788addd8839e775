"""The sheet that sums a file up: numbers by status and by what the source says of them, the source and the date."""

from datetime import datetime
from zoneinfo import ZoneInfo

from flask_babel import format_datetime, gettext

from portal.jobs.core import derived
from portal.jobs.export.columns import answer_headings
from portal.jobs.export.download_groups import counts_by_value
from portal.jobs.export.in_place.extra_sheet import ExtraSheet
from portal.jobs.export.lines import ExportPlan
from portal.jobs.models import ScrapingJob
from portal.jobs.words.statuses import outcome_words
from portal.sources.words import value_words

Row = tuple[str, str | int]


def summary_sheet(job: ScrapingJob, plan: ExportPlan, now: datetime) -> ExtraSheet:
    """The sums, in the reader's language and time zone. Fields with more than sixty values have none."""
    rows: list[Row] = [(gettext("Status"), gettext("Numbers"))]
    rows += [(outcome_words(status), count) for status, count in derived.cell_counts(job).items() if count]
    headings = answer_headings(plan.fields, plan.source)
    for field, counted in counts_by_value(job, plan.fields).items():
        words = [(value_words(field, value) if value else gettext("without data"), count) for value, count in counted]
        rows += [("", ""), (headings[field], gettext("Numbers")), *words]
    made = format_datetime(now.astimezone(ZoneInfo(plan.time_zone)), "medium", rebase=False)
    rows += [("", ""), (gettext("Source"), plan.about), (gettext("Date"), made)]
    return ExtraSheet(gettext("Summary"), rows)
