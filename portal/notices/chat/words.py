"""What is said in the admins' rooms: a title, and a few lines. It knows no service and sends nothing."""

import re
from collections.abc import Callable

from flask_babel import gettext, ngettext

from portal.notices.kinds import NoticeKind
from portal.notices.models import Notice
from portal.notices.recipient import Recipient

ChatWords = tuple[str, list[str]]  # a title and lines
PEOPLE_NAMED = 5


def chat_words(notice: Notice, reader: Recipient, home: str) -> tuple[str, str]:
    """Title and text of a notice, in the reader's language; the caller has chosen it."""
    title, lines = WRITERS[notice.kind](notice, reader, home)
    return quiet(title), quiet("\n".join(line for line in lines if line))


def quiet(text: str) -> str:
    """Without what a chat takes for a call to somebody, or for a link of its own: a file may be named @everyone."""
    return re.sub(r"(?<!\w)@", "@\u200b", text).replace("<", "‹").replace(">", "›")


def _failed(notice: Notice, reader: Recipient, home: str) -> ChatWords:
    facts = notice.facts
    title = gettext(
        "%(file)s: %(ready)s of %(total)s done, %(left)s could not be looked up",
        file=reader.name(facts["file_name"]), ready=reader.count(facts["ready"]), total=reader.count(facts["total"]),
        left=reader.count(facts["total"] - facts["ready"]),
    )  # fmt: skip
    return title, [
        gettext("Person: %(person)s", person=facts.get("owner") or "–"),
        _why(reader.words(facts.get("cause"))),
        gettext("Reference: %(reference)s", reference=facts["reference"]),
        f"{home}/jobs/{notice.job_id}",
    ]


def _failed_digest(notice: Notice, reader: Recipient, home: str) -> ChatWords:
    facts = notice.facts
    title = ngettext(
        "%(n)s more file has stopped: %(ready)s of %(total)s rows done",
        "%(n)s more files have stopped: %(ready)s of %(total)s rows done",
        facts["count"],
        n=reader.count(facts["count"]), ready=reader.count(facts["ready"]), total=reader.count(facts["total"]),
    )  # fmt: skip
    causes = [
        f"{reader.words(one['cause'])} ({reader.count(one['files'])})" for one in facts["causes"] if one.get("cause")
    ]
    owners = sorted({file["owner"] for file in facts["files"] if file.get("owner")})
    more = len(owners) > PEOPLE_NAMED or facts["count"] > len(facts["files"])  # of very many files, not all are listed
    named = ", ".join(owners[:PEOPLE_NAMED]) + (" …" if more else "")
    people = gettext("People: %(people)s", people=named) if owners else ""
    return title, [people, _why(" ".join(causes)), f"{home}/admin/jobs"]


def _why(cause: str) -> str:
    return gettext("Why: %(cause)s", cause=cause) if cause else ""


def _source_stopped(notice: Notice, reader: Recipient, home: str) -> ChatWords:
    title = gettext("The source %(source)s has stopped", source=_source(notice, reader))
    waits = gettext("Files that are looked up there wait; none is lost.")
    return title, [_why(reader.words(notice.facts.get("cause"))), waits, f"{home}/admin/sources"]


def _source_back(notice: Notice, reader: Recipient, home: str) -> ChatWords:
    title = gettext("The source %(source)s answers again", source=_source(notice, reader))
    return title, [gettext("The files that waited for it go on by themselves."), f"{home}/admin/sources"]


def _source(notice: Notice, reader: Recipient) -> str:
    return reader.name(reader.words(notice.facts.get("title")) or notice.facts["source"])


def _workers_away(notice: Notice, reader: Recipient, home: str) -> ChatWords:
    waiting = notice.facts["waiting"]
    title = gettext("No worker takes up files")
    first = ngettext("%(n)s file waits.", "%(n)s files wait.", waiting, n=reader.count(waiting))
    todo = gettext("Look whether the workers run. Nothing is lost meanwhile.")
    return title, [f"{first} {todo}", f"{home}/admin/jobs"]


def _workers_back(notice: Notice, reader: Recipient, home: str) -> ChatWords:
    return gettext("Workers take up files again"), [f"{home}/admin/jobs"]


WRITERS: dict[NoticeKind, Callable[[Notice, Recipient, str], ChatWords]] = {
    NoticeKind.JOB_FAILED: _failed,
    NoticeKind.FAILED_DIGEST: _failed_digest,
    NoticeKind.SOURCE_STOPPED: _source_stopped,
    NoticeKind.SOURCE_BACK: _source_back,
    NoticeKind.WORKERS_AWAY: _workers_away,
    NoticeKind.WORKERS_BACK: _workers_back,
}
