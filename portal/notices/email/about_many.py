"""What is said of several files at once: a digest of those that stopped, of those that are complete, and the admins'
day."""

from typing import Any

from flask_babel import gettext, ngettext

from portal.notices.email.content import EmailContent, EmailSection, EmailTable
from portal.notices.kinds import NoticeKind
from portal.notices.models import Notice
from portal.notices.recipient import Recipient

Facts = dict[str, Any]
CAUSES_SAID = 5


def failed_digest(notice: Notice, reader: Recipient, home: str) -> EmailContent:
    """Several files stopped: the common cause by name."""
    facts, same = notice.facts, len(notice.facts["causes"]) == 1
    numbers = {
        "n": reader.count(facts["count"]), "ready": reader.count(facts["ready"]), "total": reader.count(facts["total"]),
    }  # fmt: skip
    if same:
        subject = gettext(
            "%(n)s of your files stopped for the same reason: %(ready)s of %(total)s rows done", **numbers
        )
        heading = gettext("%(n)s of your files stopped for the same reason", **numbers)
    else:
        subject = gettext("%(n)s of your files stopped: %(ready)s of %(total)s rows done", **numbers)
        heading = gettext("%(n)s of your files stopped", **numbers)
    return EmailContent(
        subject=subject,
        heading=heading,
        tone="bad",
        state=gettext("Stopped"),
        lead=gettext("%(ready)s of %(total)s results are ready.", **numbers),
        then=gettext("The other rows could not be looked up. Nothing that you already have is lost."),
        parts=(
            EmailSection(gettext("Why"), _causes(facts, reader)),
            EmailSection(gettext("When"), (_when(facts, reader), gettext("There are no more automatic attempts."))),
            EmailSection(
                gettext("What you can do"), (gettext("Open a file, download what is ready, or retry the rest."),)
            ),
        ),
        table=_table(facts, reader, (gettext("File"), gettext("Ready"), gettext("Why"))),
        button=(gettext("Open your files"), f"{home}/"),
        why=gettext(
            "You get this one letter instead of many because several files of yours stopped within a short time."
        ),
    )


def _causes(facts: Facts, reader: Recipient) -> tuple[str, ...]:
    lines = []
    for cause in facts["causes"][:CAUSES_SAID]:
        files = ngettext("%(n)s file", "%(n)s files", cause["files"], n=reader.count(cause["files"]))
        lines.append(f"{reader.words(cause['cause']).rstrip('.')} ({files}).")
    return tuple(lines) or (gettext("The reason stands on each file’s page."),)


def _when(facts: Facts, reader: Recipient) -> str:
    return f"{reader.span(facts['since'], facts['until'])} ({reader.zone_words(facts['since'])})"


def _table(facts: Facts, reader: Recipient, heads: tuple[str, ...]) -> EmailTable:
    rows = []
    for file in facts["files"]:
        ready = gettext(
            "%(ready)s of %(total)s", ready=reader.count(file.get("ready", 0)), total=reader.count(file.get("total", 0))
        )
        cells = (reader.name(file.get("file_name", ""), 60), ready, reader.words(file.get("cause")))
        rows.append(cells[: len(heads)])
    left = facts["count"] - len(rows)
    more = ngettext("and %(n)s more file", "and %(n)s more files", left, n=reader.count(left)) if left else ""
    return EmailTable(heads, tuple(rows), more)


def good_digest(notice: Notice, reader: Recipient, home: str) -> EmailContent:
    """Several files are complete; those of which we wrote that they had stopped are among them."""
    facts = notice.facts
    n, total = reader.count(facts["count"]), reader.count(facts["total"])
    fixed = sum(file.get("kind") == NoticeKind.JOB_FIXED for file in facts["files"])
    then = ngettext(
        "%(n)s of them had stopped before, and is complete after all.",
        "%(n)s of them had stopped before, and are complete after all.",
        fixed, n=reader.count(fixed),
    )  # fmt: skip
    return EmailContent(
        subject=gettext("%(n)s of your files are complete: %(total)s rows done", n=n, total=total),
        heading=gettext("%(n)s of your files are complete", n=n),
        tone="ok",
        state=gettext("Complete"),
        lead=gettext("All %(n)s rows have their answer.", n=total),
        then=then if fixed else "",
        table=_table(facts, reader, (gettext("File"), gettext("Ready"))),
        button=(gettext("Open your files"), f"{home}/"),
        notes=(_when(facts, reader),),
        why=gettext(
            "You get this one letter instead of many because several files of yours ended within a short time."
        ),
    )


def daily_summary(notice: Notice, reader: Recipient, home: str) -> EmailContent:
    """The day before, for an admin."""
    facts = notice.facts
    completed = ngettext(
        "%(n)s file completed", "%(n)s files completed", facts["completed"], n=reader.count(facts["completed"])
    )
    stopped = ngettext("%(n)s file stopped", "%(n)s files stopped", facts["stopped"], n=reader.count(facts["stopped"]))
    waiting = ngettext(
        "%(n)s file waits or is being looked up.", "%(n)s files wait or are being looked up.", facts["open"],
        n=reader.count(facts["open"]),
    )  # fmt: skip
    undelivered = ngettext(
        "%(n)s notice could not be delivered.", "%(n)s notices could not be delivered.", facts["dead"],
        n=reader.count(facts["dead"]),
    )  # fmt: skip
    return EmailContent(
        subject=f"{reader.day(facts['from'])}: {completed}, {stopped}",
        heading=gettext("The portal on %(day)s", day=reader.day(facts["from"])),
        tone="warn" if facts["stopped"] else "ok",
        state=gettext("Daily summary"),
        lead=f"{completed}.",
        then=f"{stopped}.",
        parts=(EmailSection(gettext("Now"), (waiting, *((undelivered,) if facts["dead"] else ()))),),
        button=(gettext("Open the list of all files"), f"{home}/admin/jobs"),
        notes=(f"{reader.moment(facts['from'])} – {reader.moment(facts['to'])} ({reader.zone_words(facts['from'])})",),
        why=gettext("You get this because you asked for a daily summary."),
    )
