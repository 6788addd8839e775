"""E-mails about several files: digests of files that stopped or are complete, and the admins' daily summary."""

from typing import Any

from flask_babel import gettext, ngettext

from portal.notices.email.content import EmailContent, EmailSection, EmailTable
from portal.notices.facts import cause_words
from portal.notices.kinds import NoticeKind
from portal.notices.models import Notice
from portal.notices.recipient import Recipient

Facts = dict[str, Any]
CAUSES_SHOWN = 5


def failed_digest(notice: Notice, recipient: Recipient, home: str) -> EmailContent:
    """Several files stopped. The subject says so if they share one cause."""
    facts = notice.facts
    same = len(facts["causes"]) == 1 and facts["causes"][0]["files"] == facts["count"]
    numbers = {
        "n": recipient.count(facts["count"]), "ready": recipient.count(facts["ready"]),
        "total": recipient.count(facts["total"]),
    }  # fmt: skip
    if same:
        subject = gettext(
            "%(n)s of your files stopped for the same reason: %(ready)s of %(total)s numbers ready", **numbers
        )
        heading = gettext("%(n)s of your files stopped for the same reason", **numbers)
    else:
        subject = gettext("%(n)s of your files stopped: %(ready)s of %(total)s numbers ready", **numbers)
        heading = gettext("%(n)s of your files stopped", **numbers)
    return EmailContent(
        subject=subject,
        heading=heading,
        tone="bad",
        state=gettext("Stopped"),
        lead=gettext("%(ready)s of %(total)s results are ready.", **numbers),
        then=gettext("The other rows could not be looked up. Your files and their results are safe."),
        parts=(
            EmailSection(gettext("Why"), _causes(facts, recipient)),
            EmailSection(gettext("When"), (_when(facts, recipient), gettext("We will not try again automatically."))),
            EmailSection(
                gettext("What you can do"),
                (gettext("Open each file to download the results that are ready or to retry the rest."),),
            ),
        ),
        table=_table(facts, recipient, (gettext("File"), gettext("Ready"), gettext("Why"))),
        button=(gettext("Open your files"), f"{home}/"),
        why=gettext("You received one email instead of several because these files stopped within a short time."),
    )


def _causes(facts: Facts, recipient: Recipient) -> tuple[str, ...]:
    lines = []
    for cause in facts["causes"][:CAUSES_SHOWN]:
        files = ngettext("%(n)s file", "%(n)s files", cause["files"], n=recipient.count(cause["files"]))
        lines.append(f"{cause_words(cause).rstrip('.')} ({files}).")
    return tuple(lines) or (gettext("The reason is on each file’s page."),)


def _when(facts: Facts, recipient: Recipient) -> str:
    return f"{recipient.span(facts['since'], facts['until'])} ({recipient.zone_words(facts['since'])})"


def _table(facts: Facts, recipient: Recipient, heads: tuple[str, ...]) -> EmailTable:
    rows = []
    for file in facts["files"]:
        ready = gettext(
            "%(ready)s of %(total)s",
            ready=recipient.count(file.get("ready", 0)),
            total=recipient.count(file.get("total", 0)),
        )
        cells = (recipient.name(file.get("file_name", ""), 60), ready, cause_words(file))
        rows.append(cells[: len(heads)])
    left = facts["count"] - len(rows)
    more = ngettext("and %(n)s more file", "and %(n)s more files", left, n=recipient.count(left)) if left else ""
    return EmailTable(heads, tuple(rows), more)


def good_digest(notice: Notice, recipient: Recipient, home: str) -> EmailContent:
    """Several files are complete, including those that an earlier e-mail reported as stopped."""
    facts = notice.facts
    n, total = recipient.count(facts["count"]), recipient.count(facts["total"])
    fixed = sum(file.get("kind") == NoticeKind.JOB_FIXED for file in facts["files"])
    then = ngettext(
        "%(n)s of these files had stopped earlier and is now complete.",
        "%(n)s of these files had stopped earlier and are now complete.",
        fixed, n=recipient.count(fixed),
    )  # fmt: skip
    return EmailContent(
        subject=gettext("%(n)s of your files are complete: %(total)s numbers", n=n, total=total),
        heading=gettext("%(n)s of your files are complete", n=n),
        tone="ok",
        state=gettext("Complete"),
        lead=gettext("We checked all %(n)s numbers.", n=total),
        then=then if fixed else "",
        table=_table(facts, recipient, (gettext("File"), gettext("Ready"))),
        button=(gettext("Open your files"), f"{home}/"),
        notes=(_when(facts, recipient),),
        why=gettext("You received one email instead of several because these files ended within a short time."),
    )


def daily_summary(notice: Notice, recipient: Recipient, home: str) -> EmailContent:
    """A summary of the day before, for an admin."""
    facts = notice.facts
    completed = ngettext(
        "%(n)s file completed", "%(n)s files completed", facts["completed"], n=recipient.count(facts["completed"])
    )
    stopped = ngettext(
        "%(n)s file stopped", "%(n)s files stopped", facts["stopped"], n=recipient.count(facts["stopped"])
    )
    waiting = ngettext(
        "%(n)s file is queued or in progress.", "%(n)s files are queued or in progress.", facts["open"],
        n=recipient.count(facts["open"]),
    )  # fmt: skip
    undelivered = ngettext(
        "%(n)s message could not be delivered.", "%(n)s messages could not be delivered.", facts["dead"],
        n=recipient.count(facts["dead"]),
    )  # fmt: skip
    begin, end = recipient.moment(facts["from"]), recipient.moment(facts["to"])
    return EmailContent(
        subject=f"{recipient.day(facts['from'])}: {completed}, {stopped}",
        heading=gettext("Summary for %(day)s", day=recipient.day(facts["from"])),
        tone="warn" if facts["stopped"] else "ok",
        state=gettext("Daily summary"),
        lead=f"{completed}.",
        then=f"{stopped}.",
        parts=(EmailSection(gettext("Now"), (waiting, *((undelivered,) if facts["dead"] else ()))),),
        button=(gettext("See all files"), f"{home}/admin/jobs"),
        notes=(f"{begin} – {end} ({recipient.zone_words(facts['from'])})",),
        why=gettext("You received this email because you asked for a daily summary."),
    )
