"""Names of downloads and groups: the person's own file name, and which part of the file it is."""

import re
from pathlib import PurePath

from flask_babel import gettext

from portal.jobs.export.download_groups import MOBILES, UNIQUE, RowChoice, operator_of
from portal.jobs.export.lines import RowFilter
from portal.jobs.models import ScrapingJob
from portal.jobs.words.merges import kind_alone_words
from portal.jobs.words.statuses import outcome_words
from portal.sources.words import value_words

MAX_STEM = 120
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f\\/:*?"<>|\u200e\u200f\u202a-\u202e\u2066-\u2069]+')


def group_title(key: str) -> str:
    """A group in words."""
    if key == MOBILES:
        return gettext("Mobiles, no duplicates")
    if key == UNIQUE:
        return gettext("No duplicates")
    operator = operator_of(key)
    if operator:
        return gettext("Mobiles originally from %(operator)s", operator=operator)
    return gettext("Mobiles, original operator unknown")


def download_name(
    job: ScrapingJob,
    kind: str,
    rows: RowFilter | str = RowFilter.ALL,
    group: str | None = None,
    *,
    choice: RowChoice | None = None,
    is_replacement: bool = False,
) -> str:
    """The file name for the browser, in the reader's language, without path or control characters. It says when this is
    a new workbook instead of the person's own."""
    parts = []
    if group is not None:
        parts.append(group_title(group))
    parts += _choice_words(choice or RowChoice())
    if rows == RowFilter.FAILED:
        parts.append(gettext("rows to fix"))
    if job.processed_numbers < job.total_numbers:
        parts.append(gettext("partial %(ready)s of %(total)s", ready=job.processed_numbers, total=job.total_numbers))
    if is_replacement:
        parts.append(gettext("new workbook"))
    stem = _plain(PurePath(job.file_name).stem)[:MAX_STEM].strip(" .") or gettext("list")
    part = _plain(", ".join(parts or [gettext("complete")]))
    return f"{stem} ({part}).{kind}"


def _choice_words(choice: RowChoice) -> list[str]:
    words = [] if choice.status is None else [outcome_words(choice.status)]
    words += [] if choice.rows is None else [gettext("no longer there")]
    words += [] if choice.change is None else [kind_alone_words(choice.change)]
    return words + [value_words(field, value) or gettext("without data") for field, value in choice.values]


def _plain(text: str) -> str:
    return _NOT_IN_NAMES.sub("_", text)
