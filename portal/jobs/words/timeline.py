"""The lines of a job's timeline as sentences. It is given an event and asks nobody anything."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask_babel import format_datetime, format_decimal, gettext, ngettext

from portal.jobs.core.tables import Event, EventKind
from portal.jobs.words.causes import reason_words
from portal.notices.models import Channel, Delivery
from portal.notices.words import CHANNELS, kind_words


def event_tone(event: Event) -> str:
    """The colour of a line: ok, warn, bad, run or idle."""
    known = LINES.get(event.kind)  # None: a newer version of the portal has written it
    return known[0] if known else "idle"


def event_words(event: Event) -> str:
    """One event as a sentence or two, with what is known of it; a missing fact is left out, never guessed."""
    known = LINES.get(event.kind)
    return known[1](event.facts) if known else gettext("Something was noted.")


def _whole(facts: dict[str, Any], name: str) -> int:
    value = facts.get(name, 0)
    return value if isinstance(value, int) else 0


def _moment(facts: dict[str, Any]) -> str | None:
    try:
        return format_datetime(datetime.fromisoformat(facts["until"]), "medium")
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
    return ngettext("%(n)s row is ready.", "%(n)s rows are ready.", ready, n=format_decimal(ready))


def _created(facts: dict[str, Any]) -> str:
    total = _whole(facts, "total")
    return ngettext(
        "The file was confirmed, with %(n)s row.", "The file was confirmed, with %(n)s rows.", total,
        n=format_decimal(total),
    )  # fmt: skip


def _started(facts: dict[str, Any]) -> str:
    waiting = _whole(facts, "waiting")
    return ngettext(
        "Attempt %(attempt)s began: %(n)s row to go.", "Attempt %(attempt)s began: %(n)s rows to go.", waiting,
        attempt=_whole(facts, "attempt"), n=format_decimal(waiting),
    )  # fmt: skip


def _completed(facts: dict[str, Any]) -> str:
    total = _whole(facts, "total")
    return ngettext(
        "Completed: %(n)s row is accounted for.", "Completed: all %(n)s rows are accounted for.", total,
        n=format_decimal(total),
    )  # fmt: skip


def _given_up(sentence: Callable[..., str]) -> Callable[[dict[str, Any]], str]:
    def tell(facts: dict[str, Any]) -> str:
        until = _moment(facts)
        after = gettext("Next try: %(moment)s.", moment=until) if until else gettext("No more automatic tries.")
        return _joined(sentence(facts), reason_words(facts.get("cause")), _ready(facts), after, _why(facts))

    return tell


def _failed(facts: dict[str, Any]) -> str:
    return gettext("Attempt %(attempt)s failed.", attempt=_whole(facts, "attempt"))


def _timed_out(facts: dict[str, Any]) -> str:
    return gettext("Attempt %(attempt)s timed out.", attempt=_whole(facts, "attempt"))


def _handed_back(facts: dict[str, Any]) -> str:
    until = _moment(facts)
    return _joined(
        gettext("Attempt %(attempt)s was handed back.", attempt=_whole(facts, "attempt")),
        reason_words(facts.get("cause")),
        gettext("It goes on from %(moment)s.", moment=until) if until else None,
    )


def _lost(facts: dict[str, Any]) -> str:
    return _joined(
        gettext("Attempt %(attempt)s lost its worker.", attempt=_whole(facts, "attempt")),
        gettext("The file went back to the queue; nothing that was ready is lost."),
    )


def _retry_due(facts: dict[str, Any]) -> str:
    return gettext("Automatic retry %(retry)s of %(of)s is due.", retry=_whole(facts, "retry"), of=_whole(facts, "of"))


def _retried(facts: dict[str, Any]) -> str:
    numbers = _whole(facts, "numbers")
    asked = ngettext(
        "A retry of %(n)s row was asked for.", "A retry of %(n)s rows was asked for.", numbers,
        n=format_decimal(numbers),
    )  # fmt: skip
    return _joined(asked, _why(facts))


def _cancelled(facts: dict[str, Any]) -> str:
    return _joined(gettext("Cancelled; what is ready is kept."), _ready(facts), _why(facts))


def _limits(facts: dict[str, Any]) -> str:
    changed = gettext(
        "The limits were changed: %(retries)s retries, %(minutes)s minutes without progress.",
        retries=_whole(facts, "max_retries"),
        minutes=_whole(facts, "timeout_minutes"),
    )
    return _joined(changed, _why(facts))


def _tickets_lost(facts: dict[str, Any]) -> str:
    numbers = _whole(facts, "numbers")
    return ngettext(
        "The source no longer has the answer for %(n)s number that it had taken: the number is asked for anew.",
        "The source no longer has the answers for %(n)s numbers that it had taken: they are asked for anew.", numbers,
        n=format_decimal(numbers),
    )  # fmt: skip


def _told(facts: dict[str, Any]) -> str:
    """Who was told what by which way, or why not yet."""
    what = kind_words(str(facts.get("what") or "–"))
    channel = facts.get("channel")
    way = str(CHANNELS[Channel(channel)]) if channel in tuple(Channel) else gettext("E-mail")
    if facts.get("email"):
        way = f"{way}, {facts['email']}"
    if facts.get("state") == Delivery.SENT:
        told = gettext("Told (%(way)s): %(what)s.", way=way, what=what)
        return _joined(told, gettext("Together with other files.") if facts.get("digest") else None)
    if facts.get("state") == Delivery.DEAD:
        return gettext("Could not be told (%(way)s), and was given up: %(what)s.", way=way, what=what)
    if facts.get("state") == Delivery.SENDING:
        return gettext("Is being told (%(way)s): %(what)s.", way=way, what=what)
    again = gettext("Could not be told yet (%(way)s): %(what)s.", way=way, what=what)
    until = _moment(facts)
    return _joined(again, gettext("Next try: %(moment)s.", moment=until) if until else None)


def _downloaded(facts: dict[str, Any]) -> str:
    return gettext("Downloaded: %(name)s", name=facts["what"]) if facts.get("what") else gettext("Downloaded.")


# The colour and the sentence of each kind.
LINES: dict[EventKind, tuple[str, Callable[[dict[str, Any]], str]]] = {
    EventKind.CREATED: ("run", _created),
    EventKind.STARTED: ("run", _started),
    EventKind.COMPLETED: ("ok", _completed),
    EventKind.FAILED: ("bad", _given_up(_failed)),
    EventKind.TIMEOUT: ("bad", _given_up(_timed_out)),
    EventKind.HANDED_BACK: ("warn", _handed_back),
    EventKind.LOST: ("warn", _lost),
    EventKind.RETRY_DUE: ("run", _retry_due),
    EventKind.RETRIED: ("run", _retried),
    EventKind.CANCELLED: ("idle", _cancelled),
    EventKind.PAUSED: ("idle", lambda facts: gettext("Paused.")),
    EventKind.RESUMED: ("run", lambda facts: gettext("Resumed.")),
    EventKind.DELETED: ("idle", lambda facts: gettext("Deleted.")),
    EventKind.EXPIRED: ("idle", lambda facts: gettext("Deleted, as its days were over.")),
    EventKind.LIMITS_SET: ("idle", _limits),
    EventKind.DOWNLOADED: ("idle", _downloaded),
    EventKind.TICKETS_LOST: ("warn", _tickets_lost),
    EventKind.NOTIFIED: ("idle", _told),
}
