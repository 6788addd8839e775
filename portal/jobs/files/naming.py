"""What a person writes about a file: another name, a note and labels. All of it is found by the search.

A file keeps its ending, which says how it is read and given back. Each function commits.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from portal.database import changed_rows, db
from portal.documents.models import NOTE_LENGTH, Document
from portal.documents.search_text import fold, search_text
from portal.documents.upload import MAX_CHARACTERS, clean_name
from portal.jobs import commands
from portal.jobs.core import changes
from portal.jobs.models import ScrapingJob

MOST_LABELS = 5
LABEL_LENGTH = 24
LABELS_LOOKED_AT = 500  # of the person's newest files, for the labels that are offered


@dataclass(frozen=True)
class Naming:
    """A name, a note and labels as a form gives them, made fit to keep: `of` does. `left_out` are the labels that could
    not be kept: those after the fifth, and too long ones."""

    name: str
    note: str
    labels: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, note: str, labels: str, old_name: str) -> "Naming":
        """Make it from a form's fields; `labels` are separated by commas. An empty name keeps the old one."""
        found = _labels(labels)
        kept = tuple(label for label in found if len(label) <= LABEL_LENGTH)[:MOST_LABELS]
        left_out = tuple(label for label in found if label not in kept)
        return cls(_with_ending(name, old_name), _line(note)[:NOTE_LENGTH], kept, left_out)


def name_job(job: ScrapingJob, given: Naming, actor: str, now: datetime) -> None:
    """Write these beside the job. What an admin writes on somebody else's file is noted in the audit."""
    sheet = next((one["name"] for one in job.document.sheets if one["index"] == job.sheet), "")
    new = {
        "file_name": given.name, "note": given.note, "labels": list(given.labels),
        "search_text": search_text(given.name, given.labels, sheet, given.note), "updated_at": now,
    }  # fmt: skip
    there = (ScrapingJob.id == job.id, ScrapingJob.deleted_at.is_(None))
    if changed_rows(update(ScrapingJob).where(*there).values(new)):
        changes.note(job.id, job.user_id)
        if actor != job.user.email:
            commands.audit_act(job, "rename", actor, None, now)
    db.session.commit()


def name_document(document: Document, given: Naming) -> None:
    """Write these beside a document that was not started yet; its job gets them."""
    new = {
        "file_name": given.name, "note": given.note, "labels": list(given.labels),
        "search_text": search_text(given.name, given.labels, "", given.note),
    }  # fmt: skip
    changed_rows(update(Document).where(Document.id == document.id, Document.deleted_at.is_(None)).values(new))
    db.session.commit()


def labels_used(user_id: int) -> list[str]:
    """Return the labels of the person's newest files, the most used first."""
    newest = select(ScrapingJob.labels).where(ScrapingJob.user_id == user_id, ScrapingJob.deleted_at.is_(None))
    counted: dict[str, int] = {}
    for labels in db.session.scalars(newest.order_by(ScrapingJob.created_at.desc()).limit(LABELS_LOOKED_AT)):
        for label in labels:
            counted[label] = counted.get(label, 0) + 1
    return sorted(counted, key=lambda label: (-counted[label], fold(label)))


def _with_ending(name: str, old_name: str) -> str:
    ending = old_name[old_name.rindex(".") :] if "." in old_name else ""
    if not _line(name).strip("."):
        return old_name
    name = clean_name(name.replace("/", "-").replace("\\", "-"))
    if ending and not name.casefold().endswith(ending.casefold()):
        name = name[: MAX_CHARACTERS - len(ending)].rstrip() + ending
    return name


def _labels(text: str) -> tuple[str, ...]:
    """Each label once, whatever its capitals."""
    found: dict[str, str] = {}
    for part in text.split(","):
        if label := _line(part).lstrip("#").strip():
            found.setdefault(fold(label), label)
    return tuple(found.values())


def _line(text: str) -> str:
    """The text in one line, without invisible characters."""
    spaced = "".join(" " if one.isspace() else one for one in unicodedata.normalize("NFC", text))
    return " ".join("".join(one for one in spaced if unicodedata.category(one)[0] != "C").split())


def joined(labels: Sequence[str]) -> str:
    """The labels as the form shows them."""
    return ", ".join(labels)
