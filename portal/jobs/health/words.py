"""Each finding about the portal in words: what it is about, how it is, and what to do when it is not well."""

from collections.abc import Callable
from dataclasses import dataclass

from flask_babel import LazyString, format_decimal, gettext, ngettext
from flask_babel import lazy_gettext as _

from portal.documents.words import size_words
from portal.jobs.health.checks import HealthFinding, HealthState
from portal.sources.words import source_title


@dataclass(frozen=True)
class HealthMessage:
    """`todo` is empty while there is nothing to do."""

    title: str
    how: str
    todo: str = ""


TITLES: dict[str, LazyString] = {
    "workers_scrape": _("Workers that look up"),
    "workers_intake": _("Workers that read files"),
    "workers_sweep": _("Workers that sweep"),
    "workers_scheduler": _("Scheduler"),
    "sweep": _("Sweep"),
    "queue_intake": _("Files to be read"),
    "queue_scrape": _("Files to be looked up"),
    "redis": _("Queue server"),
    "database": _("Database"),
    "disk": _("Disk"),
    "sources": _("Sources"),
    "notices": _("Mails and messages"),
}

TODO: dict[str, LazyString] = {
    "workers_scrape": _("Files wait until one is back. Look at the log of “scrape”, and start it again."),
    "workers_intake": _("Uploaded files are not read. Look at the log of “intake”, and start it again."),
    "workers_sweep": _("The scheduler sweeps in its place. Look at the log of “sweep”, and start it again."),
    "workers_sweep_bad": _("Retries that are due are not started. Look at the logs of “sweep” and “scheduler”."),
    "workers_scheduler": _("Nobody starts the sweep. Look at the log of “scheduler”, and start it again."),
    "sweep": _("Retries that are due and mails wait for it. Look at the scheduler and at the workers that sweep."),
    "queue_intake": _("Reading takes seconds. Look at the log of “intake”."),
    "queue_scrape": _("Set PORTAL_WORKERS higher, or look at whether a source is slow."),
    "redis": _("New files wait for it, and nothing is lost: the sweep puts everything back. Start Valkey again."),
    "database": _("It answers slowly. Look at its disk and its load."),
    "disk": _("Make room: delete what is not needed, or move the data folder to a larger disk."),
    "sources": _("Their files wait by themselves. The page of the source says why."),
    "notices": _("Look at the mail server’s settings; what was given up can be sent again."),
}


def said(finding: HealthFinding) -> HealthMessage:
    """One finding in words."""
    key = finding.part
    if key == "workers_sweep" and finding.state == HealthState.BAD:
        key = "workers_sweep_bad"
    todo = "" if finding.state == HealthState.WELL else str(TODO[key])
    tell = _workers if finding.part.startswith("workers_") else TELL[finding.part]
    return HealthMessage(str(TITLES[finding.part]), tell(finding), todo)


def _workers(finding: HealthFinding) -> str:
    n, busy = finding.facts["n"], finding.facts["busy"]
    if not n:
        return gettext("None has been heard of for a minute and a half.")
    there = ngettext("%(n)s is there", "%(n)s are there", n, n=format_decimal(n))
    working = gettext("%(n)s at work", n=format_decimal(busy))
    return f"{there}, {working}" if busy else there


def _sweep(finding: HealthFinding) -> str:
    return gettext("Last one:") if finding.facts["at"] else gettext("There has been none yet.")


def _queue(finding: HealthFinding) -> str:
    n = finding.facts["n"]
    if not n:
        return gettext("Nothing waits.")
    return ngettext("%(n)s waits; the longest since:", "%(n)s wait; the longest since:", n, n=format_decimal(n))


def _redis(finding: HealthFinding) -> str:
    lengths = finding.facts["lengths"]
    if "error" in finding.facts:
        return gettext("It does not answer.")
    listed = ", ".join(f"{name} {format_decimal(n)}" for name, n in lengths.items()) or "–"
    return gettext("It answers. Messages: %(lengths)s", lengths=listed)


def _database(finding: HealthFinding) -> str:
    if finding.facts["size"] is None:
        return gettext("It does not answer.")
    size = size_words(finding.facts["size"])
    if finding.facts["seconds"] is None:
        return gettext("%(size)s, and it answers quickly", size=size)
    return gettext("%(size)s, and it took %(n)s s to answer", size=size, n=format_decimal(finding.facts["seconds"]))


def _disk(finding: HealthFinding) -> str:
    facts = finding.facts
    return gettext("%(free)s of %(total)s free", free=size_words(facts["free"]), total=size_words(facts["total"]))


def _sources(finding: HealthFinding) -> str:
    ill = finding.facts["ill"]
    if ill:
        return gettext("Not well: %(names)s", names=", ".join(source_title(name) for name in ill))
    n = finding.facts["n"]
    return ngettext("%(n)s, and it is well", "%(n)s, and all are well", n, n=format_decimal(n))


def _notices(finding: HealthFinding) -> str:
    n, given_up = finding.facts["n"], finding.facts["given_up"]
    parts = [ngettext("%(n)s waits", "%(n)s wait", n, n=format_decimal(n)) if n else gettext("None waits")]
    if given_up:
        parts.append(
            ngettext(
                "%(n)s was given up in the last week",
                "%(n)s were given up in the last week",
                given_up,
                n=format_decimal(given_up),
            )
        )
    if finding.facts["since"]:
        parts.append(gettext("the longest since:"))
    return ", ".join(parts)


TELL: dict[str, Callable[[HealthFinding], str]] = {
    "sweep": _sweep,
    "queue_intake": _queue,
    "queue_scrape": _queue,
    "redis": _redis,
    "database": _database,
    "disk": _disk,
    "sources": _sources,
    "notices": _notices,
}
