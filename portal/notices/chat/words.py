"""The text of chat messages to the admins: a title and a few lines. It knows no chat service and sends nothing."""

import re
from collections.abc import Callable

from flask_babel import gettext, ngettext

from portal.notices.facts import cause_words, numbers_in, source_words
from portal.notices.kinds import NoticeKind
from portal.notices.models import Notice
from portal.notices.recipient import Recipient

ChatWords = tuple[str, list[str]]  # a title and lines
PEOPLE_NAMED = 5


def chat_words(notice: Notice, recipient: Recipient, home: str) -> tuple[str, str]:
    """Title and text of a notice. The caller has set the language."""
    title, lines = WRITERS[notice.kind](notice, recipient, home)
    return quiet(title), quiet("\n".join(line for line in lines if line))


def quiet(text: str) -> str:
    """The text without anything that a chat reads as a mention or a link: a file may be called @everyone."""
    return re.sub(r"(?<!\w)@", "@\u200b", text).replace("<", "‹").replace(">", "›")


def _failed(notice: Notice, recipient: Recipient, home: str) -> ChatWords:
    facts, (total, ready) = notice.facts, numbers_in(notice.facts)
    title = gettext(
        "%(file)s stopped: %(ready)s of %(total)s numbers ready, %(left)s unanswered",
        file=recipient.name(facts["file_name"]), ready=recipient.count(ready),
        total=recipient.count(total), left=recipient.count(total - ready),
    )  # fmt: skip
    return title, [
        gettext("User: %(user)s", user=facts.get("owner") or "–"),
        _why(cause_words(facts)),
        gettext("Reference: %(reference)s", reference=facts["reference"]),
        f"{home}/jobs/{notice.job_id}",
    ]


def _failed_digest(notice: Notice, recipient: Recipient, home: str) -> ChatWords:
    facts = notice.facts
    title = ngettext(
        "%(n)s more file stopped: %(ready)s of %(total)s numbers ready",
        "%(n)s more files stopped: %(ready)s of %(total)s numbers ready",
        facts["count"],
        n=recipient.count(facts["count"]), ready=recipient.count(facts["ready"]), total=recipient.count(facts["total"]),
    )  # fmt: skip
    causes = [f"{text} ({recipient.count(one['files'])})" for one in facts["causes"] if (text := cause_words(one))]
    owners = sorted({file["owner"] for file in facts["files"] if file.get("owner")})
    more = len(owners) > PEOPLE_NAMED or facts["count"] > len(
        facts["files"]
    )  # a digest does not list all of very many files
    named = ", ".join(owners[:PEOPLE_NAMED]) + (" …" if more else "")
    users = gettext("Users: %(users)s", users=named) if owners else ""
    return title, [users, _why(" ".join(causes)), f"{home}/admin/jobs"]


def _why(cause: str) -> str:
    return gettext("Why: %(cause)s", cause=cause) if cause else ""


def _source_stopped(notice: Notice, recipient: Recipient, home: str) -> ChatWords:
    title = gettext("The source %(source)s has stopped working", source=_source(notice, recipient))
    waits = gettext("Files that use it are waiting. Nothing is lost.")
    return title, [_why(cause_words(notice.facts)), waits, f"{home}/admin/sources"]


def _source_back(notice: Notice, recipient: Recipient, home: str) -> ChatWords:
    title = gettext("The source %(source)s is working again", source=_source(notice, recipient))
    return title, [gettext("Files that were waiting for it continue automatically."), f"{home}/admin/sources"]


def _source(notice: Notice, recipient: Recipient) -> str:
    return recipient.name(source_words(notice.facts))


def _workers_away(notice: Notice, recipient: Recipient, home: str) -> ChatWords:
    waiting = notice.facts["waiting"]
    title = gettext("Files are not being processed")
    first = ngettext("%(n)s file is waiting.", "%(n)s files are waiting.", waiting, n=recipient.count(waiting))
    todo = gettext("Check that the workers are running. Nothing is lost.")
    return title, [f"{first} {todo}", f"{home}/admin/jobs"]


def _workers_back(notice: Notice, recipient: Recipient, home: str) -> ChatWords:
    return gettext("Files are being processed again"), [f"{home}/admin/jobs"]


WRITERS: dict[NoticeKind, Callable[[Notice, Recipient, str], ChatWords]] = {
    NoticeKind.JOB_FAILED: _failed,
    NoticeKind.FAILED_DIGEST: _failed_digest,
    NoticeKind.SOURCE_STOPPED: _source_stopped,
    NoticeKind.SOURCE_BACK: _source_back,
    NoticeKind.WORKERS_AWAY: _workers_away,
    NoticeKind.WORKERS_BACK: _workers_back,
}
