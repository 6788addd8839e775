"""How a form names files: `job-12` is a job, `document-7` a file that was never started."""

from dataclasses import dataclass

from flask import request
from flask_login import current_user

from portal.documents.models import Document
from portal.ids import id_in
from portal.jobs import queries
from portal.jobs.models import ScrapingJob

MOST = 200  # files of one form
JOB, DOCUMENT = "job", "document"


@dataclass(frozen=True)
class Item:
    """One file that a form names; it may not be there, or not be this person's."""

    kind: str
    its_id: int


def items_of_form() -> list[Item]:
    """The files that the form names, each once; anything else in it is skipped."""
    found = []
    for text in request.values.getlist("items")[:MOST]:
        kind, _, number = text.partition("-")
        its_id = id_in(number)
        if kind in (JOB, DOCUMENT) and its_id is not None:
            found.append(Item(kind, its_id))
    return list(dict.fromkeys(found))


def jobs_in(items: list[Item]) -> list[ScrapingJob]:
    """Those of them that are jobs and that this person may see."""
    return queries.find_jobs(current_user, [item.its_id for item in items if item.kind == JOB])


def documents_in(items: list[Item]) -> list[Document]:
    """Those of them that are this person's own documents."""
    found = [queries.find_document(current_user, item.its_id) for item in items if item.kind == DOCUMENT]
    return [one for one in found if one is not None and one.user_id == current_user.id]
