"""What is said of one file: it stopped, it was put right, it is complete. Good news first, and the cause in words."""

from typing import Any

from flask_babel import gettext, ngettext

from portal.notices.email.content import EmailContent, EmailSection
from portal.notices.facts import cause_words
from portal.notices.models import Notice
from portal.notices.recipient import Recipient

Facts = dict[str, Any]


def job_failed(notice: Notice, reader: Recipient, home: str) -> EmailContent:
    """The file stopped for good."""
    facts, left = notice.facts, notice.facts["total"] - notice.facts["ready"]
    name = reader.name(facts["file_name"])
    return EmailContent(
        subject=gettext(
            "%(file)s: %(ready)s of %(total)s done, %(left)s could not be looked up",
            file=name, ready=reader.count(facts["ready"]), total=reader.count(facts["total"]), left=reader.count(left),
        ),
        heading=name,
        tone="bad",
        state=gettext("Stopped"),
        lead=_ready(facts, reader),
        then=ngettext(
            "%(n)s row could not be looked up. Nothing that you already have is lost.",
            "%(n)s rows could not be looked up. Nothing that you already have is lost.",
            left, n=reader.count(left),
        ),
        parts=(
            EmailSection(gettext("Why"), _causes(facts, left, reader)),
            *_tried(facts, reader),
            EmailSection(gettext("What you can do"), _todo(facts, left, reader)),
        ),
        button=(gettext("Open the file’s page"), f"{home}/jobs/{notice.job_id}"),
        notes=_notes(facts, reader),
        why=gettext("You get this because a file of yours stopped."),
    )  # fmt: skip


def _ready(facts: Facts, reader: Recipient) -> str:
    ready = facts["ready"]
    return ngettext("%(n)s result is ready.", "%(n)s results are ready.", ready, n=reader.count(ready))


def _causes(facts: Facts, left: int, reader: Recipient) -> tuple[str, ...]:
    """Each cause with how many rows it kept, and which ones while they are few."""
    lines, counted = [], 0
    for cause in facts.get("causes") or []:
        counted += cause["rows"]
        lines.append(_with_rows(cause_words(cause), cause["rows"], cause.get("named", []), reader))
    rest = left - counted
    if not lines:
        return (_with_rows(cause_words(facts), left, facts.get("rows") or [], reader),)
    if rest > 0:
        not_yet = gettext("They had not been looked up yet when the file stopped.")
        lines.append(_with_rows(not_yet, rest, [], reader))
    return tuple(lines)


def _with_rows(text: str, count: int, named: list[int], reader: Recipient) -> str:
    rows = ngettext("%(n)s row", "%(n)s rows", count, n=reader.count(count))
    if named:
        listed = ", ".join(map(str, named)) + (" …" if count > len(named) else "")
        rows = gettext("%(rows)s: %(listed)s", rows=rows, listed=listed)
    return f"{text.rstrip('.')} ({rows})." if text else rows


def _tried(facts: Facts, reader: Recipient) -> tuple[EmailSection, ...]:
    attempts, first, last = facts.get("attempts", 0), facts.get("first_at"), facts.get("last_at")
    if not attempts or not first:
        return ()
    when = reader.span(first, last or first)
    made = ngettext(
        "%(n)s attempt, %(when)s (%(zone)s).", "%(n)s attempts, %(when)s (%(zone)s).", attempts,
        n=reader.count(attempts), when=when, zone=reader.zone_words(first),
    )  # fmt: skip
    return (EmailSection(gettext("What we did"), (made, gettext("There are no more automatic attempts."))),)


def _todo(facts: Facts, left: int, reader: Recipient) -> tuple[str, ...]:
    lines = [gettext("Download what is ready.")] if facts["ready"] else []
    lines.append(
        ngettext(
            "Retry the row that is left: you press the button on the file’s page.",
            "Retry the %(n)s rows that are left: you press the button on the file’s page.",
            left, n=reader.count(left),
        )
    )  # fmt: skip
    if invalid := facts.get("invalid", 0):
        listed = facts.get("invalid_rows") or []
        correct = ngettext("Correct %(n)s row that is no valid number", "Correct %(n)s rows that are no valid numbers",
                           invalid, n=reader.count(invalid))  # fmt: skip
        rows = ", ".join(map(str, listed)) + (" …" if invalid > len(listed) else "")
        lines.append(gettext("%(rows)s: %(listed)s", rows=correct, listed=rows) if listed else f"{correct}.")
    return tuple(lines)


def _notes(facts: Facts, reader: Recipient) -> tuple[str, ...]:
    notes = []
    if facts.get("uploaded_at"):
        notes.append(gettext("File uploaded by you on %(when)s", when=reader.moment(facts["uploaded_at"])))
    if facts.get("kept_until"):
        notes.append(gettext("Kept until %(day)s", day=reader.date(facts["kept_until"])))
    notes.append(gettext("Reference %(reference)s", reference=facts["reference"]))
    return tuple(notes)


def job_fixed(notice: Notice, reader: Recipient, home: str) -> EmailContent:
    """A file of which we wrote that it had stopped is complete after all."""
    facts = notice.facts
    name, ready, total = reader.name(facts["file_name"]), reader.count(facts["ready"]), reader.count(facts["total"])
    return EmailContent(
        subject=gettext(
            "Fixed: %(file)s is now complete (%(ready)s of %(total)s)", file=name, ready=ready, total=total
        ),
        heading=name,
        tone="ok",
        state=gettext("Complete after all"),
        lead=gettext("Good news: your file is now complete."),
        then=_all_rows(facts, reader),
        parts=_done_parts(facts, reader),
        button=(gettext("Open the file’s page to download it"), f"{home}/jobs/{notice.job_id}"),
        notes=_notes(facts, reader),
        why=gettext("You get this because we wrote to you that this file had stopped."),
    )


def job_completed(notice: Notice, reader: Recipient, home: str) -> EmailContent:
    """The file is complete."""
    facts = notice.facts
    name, ready, total = reader.name(facts["file_name"]), reader.count(facts["ready"]), reader.count(facts["total"])
    return EmailContent(
        subject=gettext("%(file)s is complete: %(ready)s of %(total)s done", file=name, ready=ready, total=total),
        heading=name,
        tone="ok",
        state=gettext("Complete"),
        lead=gettext("Your file is complete."),
        then=_all_rows(facts, reader),
        parts=_done_parts(facts, reader),
        button=(gettext("Open the file’s page to download it"), f"{home}/jobs/{notice.job_id}"),
        notes=_notes(facts, reader),
        why=gettext("You get this because you uploaded this file."),
    )


def _all_rows(facts: Facts, reader: Recipient) -> str:
    total = facts["total"]
    return ngettext("The one row has its answer.", "All %(n)s rows have their answer.", total, n=reader.count(total))


def _done_parts(facts: Facts, reader: Recipient) -> tuple[EmailSection, ...]:
    lines = []
    if found := facts.get("found", 0):
        lines.append(ngettext("%(n)s number was found.", "%(n)s numbers were found.", found, n=reader.count(found)))
    if missing := facts.get("not_found", 0):
        lines.append(
            ngettext("%(n)s number was not found.", "%(n)s numbers were not found.", missing, n=reader.count(missing))
        )
    if invalid := facts.get("invalid", 0):
        lines.append(
            ngettext("%(n)s row is no valid number.", "%(n)s rows are no valid numbers.", invalid,
                     n=reader.count(invalid))
        )  # fmt: skip
    return (EmailSection(gettext("What came in"), tuple(lines)),) if lines else ()
