"""Renders one event of a job's timeline as a sentence. Pure: no database, no Flask request."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask_babel import format_datetime, format_decimal, gettext, ngettext

from portal.causes import CauseCode
from portal.jobs.core.job_tables import Event, EventKind
from portal.jobs.words.causes import reason_words
from portal.jobs.words.money import money_words
from portal.notices.models import Channel, Delivery
from portal.notices.words import CHANNELS, kind_words
from portal.sources.words import source_title


def event_tone(event: Event) -> str:
    """The tone of a line: ok, warn, bad, run or idle."""
    known = LINES.get(event.kind)  # None: written by a newer version of the portal
    return known[0] if known else "idle"


def event_words(event: Event) -> str:
    """One event as a sentence or two. A missing fact is left out, never guessed."""
    known = LINES.get(event.kind)
    return known[1](event.facts) if known else gettext("Something happened that has no description.")


def _whole(facts: dict[str, Any], name: str) -> int:
    value = facts.get(name, 0)
    return value if isinstance(value, int) else 0


def _moment(facts: dict[str, Any], name: str = "until") -> str | None:
    try:
        return format_datetime(datetime.fromisoformat(facts[name]), "medium")
    except (KeyError, TypeError, ValueError):
        return None


def _joined(*sentences: str | None) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def _why(facts: dict[str, Any]) -> str | None:
    return gettext("Reason given: %(why)s", why=facts["why"]) if facts.get("why") else None


def _ready(facts: dict[str, Any]) -> str | None:
    if "ready" not in facts:
        return None
    ready = _whole(facts, "ready")
    return ngettext("%(n)s number is ready.", "%(n)s numbers are ready.", ready, n=format_decimal(ready))


def _created(facts: dict[str, Any]) -> str:
    total = _whole(facts, "total")
    return ngettext(
        "The file was confirmed, with %(n)s number.", "The file was confirmed, with %(n)s numbers.", total,
        n=format_decimal(total),
    )  # fmt: skip


def _started(facts: dict[str, Any]) -> str:
    waiting = _whole(facts, "waiting")
    return ngettext(
        "Attempt %(attempt)s started: %(n)s number to look up.",
        "Attempt %(attempt)s started: %(n)s numbers to look up.",
        waiting, attempt=_whole(facts, "attempt"), n=format_decimal(waiting),
    )  # fmt: skip


def _completed(facts: dict[str, Any]) -> str:
    total = _whole(facts, "total")
    return ngettext(
        "Completed: %(n)s number has a result.", "Completed: all %(n)s numbers have a result.", total,
        n=format_decimal(total),
    )  # fmt: skip


def _stopped(sentence: Callable[..., str]) -> Callable[[dict[str, Any]], str]:
    """The sentence for an attempt that stopped, followed by the cause, what is ready and when it is retried."""

    def stopped(facts: dict[str, Any]) -> str:
        until = _moment(facts)
        after = (
            gettext("Next attempt: %(moment)s.", moment=until)
            if until
            else gettext("There will be no more automatic retries.")
        )
        return _joined(sentence(facts), reason_words(facts.get("cause")), _ready(facts), after, _why(facts))

    return stopped


def _failed(facts: dict[str, Any]) -> str:
    if since := _moment(facts, "waited_since"):
        return gettext("The file had been waiting since %(moment)s, and the wait came to an end.", moment=since)
    return gettext("Attempt %(attempt)s failed.", attempt=_whole(facts, "attempt"))


def _timed_out(facts: dict[str, Any]) -> str:
    return gettext("Attempt %(attempt)s timed out.", attempt=_whole(facts, "attempt"))


def _handed_back(facts: dict[str, Any]) -> str:
    until, since, times = _moment(facts), _moment(facts, "since"), _whole(facts, "times")
    back = gettext("Attempt %(attempt)s was returned to the queue.", attempt=_whole(facts, "attempt"))
    if since and times > 1:
        n = format_decimal(times)
        if facts.get("cause") == CauseCode.TURN:
            back = gettext("Returned to the queue %(n)s times since %(moment)s.", n=n, moment=since)
        else:
            back = gettext("Tried %(n)s times since %(moment)s.", n=n, moment=since)
    return _joined(
        back,
        reason_words(facts.get("cause")),
        gettext("It will continue at %(moment)s.", moment=until) if until else None,
    )


def _lost(facts: dict[str, Any]) -> str:
    return _joined(
        gettext("Attempt %(attempt)s stopped unexpectedly.", attempt=_whole(facts, "attempt")),
        gettext("The file went back to the queue; nothing was lost."),
    )


def _source_skipped(facts: dict[str, Any]) -> str:
    skipped, then = (source_title(str(facts.get(name, ""))) for name in ("source", "then"))
    return _joined(
        gettext("“%(source)s” was skipped: “%(then)s” is asked next.", source=skipped, then=then), _why(facts)
    )


def _retry_due(facts: dict[str, Any]) -> str:
    return gettext("Automatic retry %(retry)s of %(of)s.", retry=_whole(facts, "retry"), of=_whole(facts, "of"))


def _retried(facts: dict[str, Any]) -> str:
    numbers = _whole(facts, "numbers")
    requested = ngettext(
        "A retry of %(n)s number was requested.", "A retry of %(n)s numbers was requested.", numbers,
        n=format_decimal(numbers),
    )  # fmt: skip
    return _joined(requested, _why(facts))


def _corrected(facts: dict[str, Any]) -> str:
    cells, numbers = _whole(facts, "cells"), _whole(facts, "numbers")
    corrected = ngettext(
        "%(n)s cell was corrected.", "%(n)s cells were corrected.", cells, n=format_decimal(cells)
    )  # fmt: skip
    asked = ngettext("%(n)s number to look up.", "%(n)s numbers to look up.", numbers, n=format_decimal(numbers))
    return _joined(corrected, asked if numbers else None)


def _cancelled(facts: dict[str, Any]) -> str:
    return _joined(gettext("Cancelled. What is ready is kept."), _ready(facts), _why(facts))


def _put_first(facts: dict[str, Any]) -> str:
    return _joined(gettext("Put first: the first free worker takes it."), _why(facts))


def _cost_cap(facts: dict[str, Any]) -> str:
    cap = facts.get("cost_cap")
    if cap is None:
        return gettext("The file’s spending limit was removed.")
    return gettext("The file’s spending limit is now %(cap)s.", cap=money_words(cap, facts.get("currency") or ""))


def _limits(facts: dict[str, Any]) -> str:
    if "currency" in facts:
        return _joined(_cost_cap(facts), _why(facts))
    changed = gettext(
        "The limits were changed: %(retries)s retries, %(minutes)s minutes without progress.",
        retries=_whole(facts, "max_retries"),
        minutes=_whole(facts, "timeout_minutes"),
    )
    return _joined(changed, _why(facts))


def _tickets_lost(facts: dict[str, Any]) -> str:
    numbers = _whole(facts, "numbers")
    return ngettext(
        "The source lost the answer for %(n)s number that it had accepted. The number will be looked up again.",
        "The source lost the answers for %(n)s numbers that it had accepted. They will be looked up again.", numbers,
        n=format_decimal(numbers),
    )  # fmt: skip


def _number_erased(facts: dict[str, Any]) -> str:
    return ngettext(
        "A number was erased at its owner’s request. It was in %(n)s cell, which now says so.",
        "A number was erased at its owner’s request. It was in %(n)s cells, which now say so.",
        _whole(facts, "cells"), n=format_decimal(_whole(facts, "cells")),
    )  # fmt: skip


def _given_up(facts: dict[str, Any]) -> str:
    row = format_decimal(_whole(facts, "row"))
    return gettext("The portal’s process stopped three times at the number in row %(row)s: it is left out.", row=row)


def _notified(facts: dict[str, Any]) -> str:
    """What was sent, by which channel and to whom, or why it was not."""
    what = kind_words(str(facts.get("what") or "–"))
    code = facts.get("channel")
    channel = str(CHANNELS[Channel(code)]) if code in tuple(Channel) else gettext("Email")
    if facts.get("email"):
        channel = f"{channel}, {facts['email']}"
    if facts.get("state") == Delivery.SENT:
        sent = gettext("Notified (%(channel)s): %(what)s.", channel=channel, what=what)
        return _joined(sent, gettext("Sent together with other files.") if facts.get("digest") else None)
    if facts.get("state") == Delivery.DEAD:
        return gettext("Not delivered (%(channel)s): %(what)s.", channel=channel, what=what)
    if facts.get("state") == Delivery.SENDING:
        return gettext("Sending (%(channel)s): %(what)s.", channel=channel, what=what)
    waiting = gettext("Not delivered yet (%(channel)s): %(what)s.", channel=channel, what=what)
    until = _moment(facts)
    return _joined(waiting, gettext("Next attempt: %(moment)s.", moment=until) if until else None)


def _downloaded(facts: dict[str, Any]) -> str:
    return gettext("Downloaded: %(name)s", name=facts["what"]) if facts.get("what") else gettext("Downloaded.")


# The tone and the sentence of each kind.
LINES: dict[EventKind, tuple[str, Callable[[dict[str, Any]], str]]] = {
    EventKind.CREATED: ("run", _created),
    EventKind.STARTED: ("run", _started),
    EventKind.COMPLETED: ("ok", _completed),
    EventKind.FAILED: ("bad", _stopped(_failed)),
    EventKind.TIMEOUT: ("bad", _stopped(_timed_out)),
    EventKind.HANDED_BACK: ("warn", _handed_back),
    EventKind.LOST: ("warn", _lost),
    EventKind.RETRY_DUE: ("run", _retry_due),
    EventKind.RETRIED: ("run", _retried),
    EventKind.CORRECTED: ("run", _corrected),
    EventKind.CANCELLED: ("idle", _cancelled),
    EventKind.PAUSED: ("idle", lambda facts: _joined(gettext("Paused."), _why(facts))),
    EventKind.RESUMED: ("run", lambda facts: _joined(gettext("Resumed."), _why(facts))),
    EventKind.SOURCE_SKIPPED: ("run", _source_skipped),
    EventKind.TRASHED: ("idle", lambda facts: _joined(gettext("Moved to the trash."), _why(facts))),
    EventKind.RESTORED: ("idle", lambda facts: gettext("Restored from the trash.")),
    EventKind.DELETED: ("idle", lambda facts: _joined(gettext("Deleted."), _why(facts))),
    EventKind.EXPIRED: ("idle", lambda facts: gettext("Deleted because its retention period ended.")),
    EventKind.LIMITS_SET: ("idle", _limits),
    EventKind.PUT_FIRST: ("run", _put_first),
    EventKind.DOWNLOADED: ("idle", _downloaded),
    EventKind.TICKETS_LOST: ("warn", _tickets_lost),
    EventKind.NUMBER_GIVEN_UP: ("warn", _given_up),
    EventKind.NUMBER_ERASED: ("idle", _number_erased),
    EventKind.NOTIFIED: ("idle", _notified),
}
