"""E-mails about one file: it stopped, it was completed later, it is complete. Good news first, the cause in words."""

from typing import Any

from flask_babel import gettext, ngettext

from portal.notices.email.content import EmailContent, EmailSection
from portal.notices.facts import cause_words, numbers_in
from portal.notices.models import Notice
from portal.notices.recipient import Recipient

Facts = dict[str, Any]


def job_failed(notice: Notice, recipient: Recipient, home: str) -> EmailContent:
    """The file stopped for good."""
    facts, (total, ready) = notice.facts, numbers_in(notice.facts)
    left = total - ready
    name = recipient.name(facts["file_name"])
    return EmailContent(
        subject=gettext(
            "%(file)s stopped: %(ready)s of %(total)s numbers ready, %(left)s unanswered",
            file=name, ready=recipient.count(ready), total=recipient.count(total),
            left=recipient.count(left),
        ),
        heading=name,
        tone="bad",
        state=gettext("Stopped"),
        lead=_ready(facts, recipient),
        then=ngettext(
            "%(n)s number could not be looked up. Your file and its results are safe.",
            "%(n)s numbers could not be looked up. Your file and its results are safe.",
            left, n=recipient.count(left),
        ),
        parts=(
            EmailSection(gettext("Why"), _causes(facts, left, recipient)),
            *_tried(facts, recipient),
            EmailSection(gettext("What you can do"), _todo(facts, left, recipient)),
        ),
        button=(gettext("Open the file’s page"), f"{home}/jobs/{notice.job_id}"),
        notes=_notes(facts, recipient),
        why=gettext("You received this email because one of your files stopped."),
    )  # fmt: skip


def _ready(facts: Facts, recipient: Recipient) -> str:
    _, ready = numbers_in(facts)
    return ngettext("%(n)s result is ready.", "%(n)s results are ready.", ready, n=recipient.count(ready))


def _causes(facts: Facts, left: int, recipient: Recipient) -> tuple[str, ...]:
    """Each cause with how many numbers it affected, and the first rows with one of them."""
    lines, counted = [], 0
    for cause in facts.get("causes") or []:
        counted += cause["rows"]
        lines.append(_with_rows(cause_words(cause), cause["rows"], cause.get("named", []), recipient))
    rest = left - counted
    if not lines:
        return (_with_rows(cause_words(facts), left, facts.get("rows") or [], recipient),)
    if rest > 0:
        not_yet = gettext("Not looked up yet when the file stopped.")
        lines.append(_with_rows(not_yet, rest, [], recipient))
    return tuple(lines)


def _with_rows(text: str, count: int, named: list[int], recipient: Recipient) -> str:
    numbers = ngettext("%(n)s number", "%(n)s numbers", count, n=recipient.count(count))
    if named:
        numbers = _in_rows(numbers, named, count)
    return f"{text.rstrip('.')} ({numbers})." if text else numbers


def _in_rows(what: str, named: list[int], count: int) -> str:
    """Say in which rows the first ones are. A row may have several numbers, so how many more rows there are is not
    known."""
    listed = ", ".join(map(str, named))
    if count > len(named):
        return ngettext(
            "%(what)s, in row %(listed)s and others", "%(what)s, in rows %(listed)s and others", len(named),
            what=what, listed=listed,
        )  # fmt: skip
    return ngettext("%(what)s, in row %(listed)s", "%(what)s, in rows %(listed)s", len(named), what=what, listed=listed)


def _tried(facts: Facts, recipient: Recipient) -> tuple[EmailSection, ...]:
    attempts, first, last = facts.get("attempts", 0), facts.get("first_at"), facts.get("last_at")
    if not attempts or not first:
        return ()
    when = recipient.span(first, last or first)
    made = ngettext(
        "%(n)s attempt, %(when)s (%(zone)s).", "%(n)s attempts, %(when)s (%(zone)s).", attempts,
        n=recipient.count(attempts), when=when, zone=recipient.zone_words(first),
    )  # fmt: skip
    return (EmailSection(gettext("What we did"), (made, gettext("We will not try again automatically."))),)


def _todo(facts: Facts, left: int, recipient: Recipient) -> tuple[str, ...]:
    lines = [gettext("Download the results that are ready.")] if facts["ready"] else []
    lines.append(
        ngettext(
            "To retry the number that is left, open the file’s page and press Retry.",
            "To retry the %(n)s numbers that are left, open the file’s page and press Retry.",
            left, n=recipient.count(left),
        )
    )  # fmt: skip
    if invalid := facts.get("invalid", 0):
        listed = facts.get("invalid_rows") or []
        fix = ngettext("Fix %(n)s cell that is not a valid number", "Fix %(n)s cells that are not valid numbers",
                       invalid, n=recipient.count(invalid))  # fmt: skip
        lines.append(f"{_in_rows(fix, listed, invalid) if listed else fix}.")
    return tuple(lines)


def _notes(facts: Facts, recipient: Recipient) -> tuple[str, ...]:
    notes = []
    if facts.get("uploaded_at"):
        notes.append(gettext("Uploaded on %(when)s", when=recipient.moment(facts["uploaded_at"])))
    if facts.get("kept_until"):
        notes.append(gettext("Kept until %(day)s", day=recipient.date(facts["kept_until"])))
    notes.append(gettext("Reference %(reference)s", reference=facts["reference"]))
    return tuple(notes)


def job_fixed(notice: Notice, recipient: Recipient, home: str) -> EmailContent:
    """A file is complete, after an e-mail said that it had stopped."""
    facts = notice.facts
    name = recipient.name(facts["file_name"])
    total, ready = map(recipient.count, numbers_in(facts))
    return EmailContent(
        subject=gettext(
            "Fixed: %(file)s is now complete (%(ready)s of %(total)s numbers)", file=name, ready=ready, total=total
        ),
        heading=name,
        tone="ok",
        state=gettext("Now complete"),
        lead=gettext("Good news: your file is now complete."),
        then=_all_rows(facts, recipient),
        parts=_done_parts(facts, recipient),
        button=(gettext("Open the file to download it"), f"{home}/jobs/{notice.job_id}"),
        notes=_notes(facts, recipient),
        why=gettext("You received this email because an earlier email said that this file had stopped."),
    )


def job_completed(notice: Notice, recipient: Recipient, home: str) -> EmailContent:
    """The file is complete."""
    facts = notice.facts
    name = recipient.name(facts["file_name"])
    total, ready = map(recipient.count, numbers_in(facts))
    return EmailContent(
        subject=gettext("%(file)s is complete: %(ready)s of %(total)s numbers", file=name, ready=ready, total=total),
        heading=name,
        tone="ok",
        state=gettext("Complete"),
        lead=gettext("Your file is complete."),
        then=_all_rows(facts, recipient),
        parts=_done_parts(facts, recipient),
        button=(gettext("Open the file to download it"), f"{home}/jobs/{notice.job_id}"),
        notes=_notes(facts, recipient),
        why=gettext("You received this email because you uploaded this file."),
    )


def _all_rows(facts: Facts, recipient: Recipient) -> str:
    total, _ = numbers_in(facts)
    return ngettext(
        "We checked the one number in it.", "We checked all %(n)s numbers.", total, n=recipient.count(total)
    )


def _done_parts(facts: Facts, recipient: Recipient) -> tuple[EmailSection, ...]:
    lines = []
    if changed := facts.get("changed"):
        lines.append(
            ngettext("%(n)s answer is not the same as last time.", "%(n)s answers are not the same as last time.",
                     changed, n=recipient.count(changed))
        )  # fmt: skip
    if found := facts.get("found", 0):
        lines.append(ngettext("%(n)s number was found.", "%(n)s numbers were found.", found, n=recipient.count(found)))
    if missing := facts.get("not_found", 0):
        lines.append(
            ngettext(
                "%(n)s number was not found.", "%(n)s numbers were not found.", missing, n=recipient.count(missing)
            )
        )
    if invalid := facts.get("invalid", 0):
        lines.append(
            ngettext("%(n)s cell to fix: it is not a valid number.", "%(n)s cells to fix: they are not valid numbers.",
                     invalid, n=recipient.count(invalid))
        )  # fmt: skip
    return (EmailSection(gettext("Results"), tuple(lines)),) if lines else ()
