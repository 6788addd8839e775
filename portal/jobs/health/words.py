"""Health findings in words: the part, its state, and what to do when something is wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask_babel import LazyString, format_decimal, gettext, ngettext
from flask_babel import lazy_gettext as _

from portal.documents.words import size_words
from portal.jobs.health.checks import HealthFinding, HealthState
from portal.sources.words import source_title


@dataclass(frozen=True)
class HealthMessage:
    """One finding in words. `todo` is empty when no action is needed."""

    title: str
    how: str
    todo: str = ""


WORKERS: dict[str, LazyString] = {
    "intake": _("File reading"),
    "scrape": _("Lookup"),
    "sweep": _("Maintenance"),
    "scheduler": _("Scheduling"),
}
TITLES: dict[str, LazyString] = {
    "workers_scrape": _("Lookup workers"),
    "workers_intake": _("File-reading workers"),
    "workers_sweep": _("Maintenance worker"),
    "workers_scheduler": _("Scheduler"),
    "sweep": _("Last maintenance run"),
    "queue_intake": _("Files waiting to be read"),
    "queue_scrape": _("Files waiting for lookup"),
    "redis": _("Queue server"),
    "database": _("Database"),
    "clock": _("Clocks"),
    "disk": _("Disk"),
    "storage": _("Stored files"),
    "key": _("Key of this machine"),
    "recipes": _("Sources on this machine"),
    "sources": _("Sources"),
    "notices": _("Emails and messages"),
}

TODO: dict[str, LazyString] = {
    "workers_scrape": _("Files wait until one is back. Check the “scrape” log and restart it."),
    "workers_intake": _("Uploaded files are not being read. Check the “intake” log and restart it."),
    "workers_sweep": _("The scheduler does its work in the meantime. Check the “sweep” log and restart it."),
    "workers_sweep_bad": _("Due retries are not being started. Check the “sweep” and “scheduler” logs."),
    "workers_scheduler": _("Maintenance is not being started. Check the “scheduler” log and restart it."),
    "workers_hung": _("Restart the workers that do not respond, and check their log for the file that stopped them."),
    "sweep": _("Due retries and emails are waiting for it. Check the scheduler and the maintenance worker."),
    "queue_intake": _("Reading should take seconds. Check the “intake” log."),
    "queue_scrape": _("Increase PORTAL_WORKERS, or check whether a source is slow."),
    "redis": _("New files have to wait, but nothing is lost: the queue is rebuilt automatically. Start Valkey again."),
    "redis_refuses": _(
        "It is full, or a read-only copy. New files have to wait, but nothing is lost. Give it memory and disk, or set "
        "REDIS_URL to the main server."
    ),
    "redis_evicts": _("Set its maxmemory-policy to noeviction, so that it does not delete messages when it is full."),
    "database": _("It is responding slowly. Check its disk and its load."),
    "clock": _(
        "Set the clocks of these machines, or let NTP do it. The portal goes by the database’s clock meanwhile."
    ),
    "disk": _("Free up space: delete what you do not need, or move the data folder to a larger disk."),
    "storage": _(
        "Uploads and downloads have to wait, but nothing is lost. Check STORAGE_URL, its keys and the network."
    ),
    "key": _("Set the SECRET_KEY of the other machines here too. Until then, this one signs people out."),
    "recipes": _("Copy their configurations and secrets to this machine, or keep both in the database."),
    "sources": _("Their files are waiting. Open the source’s page to see why."),
    "notices": _(
        "Check the mail server settings and the people’s addresses. Undelivered messages can be sent again; "
        "a refused address gets no email until it is corrected or you send one of its messages again."
    ),
}


def describe(finding: HealthFinding) -> HealthMessage:
    """Return one finding in words."""
    key = finding.part
    if key == "workers_sweep" and finding.state == HealthState.BAD:
        key = "workers_sweep_bad"
    if finding.facts.get("hung"):
        key = "workers_hung"
    if key == "redis" and "refuses" in finding.facts:
        key = "redis_refuses"
    if key == "redis" and "policy" in finding.facts:
        key = "redis_evicts"
    todo = "" if finding.state == HealthState.WELL else str(TODO[key])
    describe_part = _workers if finding.part.startswith("workers_") else DESCRIBE[finding.part]
    return HealthMessage(str(TITLES[finding.part]), describe_part(finding), todo)


def missing_words(parts: Sequence[str]) -> str:
    """Return what a machine lacks, as it has reported; empty when it lacks nothing."""
    return ", ".join(str(TITLES[part]) for part in parts if part in TITLES)


def _workers(finding: HealthFinding) -> str:
    n, busy = finding.facts["n"], finding.facts["busy"]
    if not n:
        return gettext("No worker has reported in the last 90 seconds.")
    there = ngettext("%(n)s running", "%(n)s running", n, n=format_decimal(n))
    words = [there, gettext("%(n)s busy", n=format_decimal(busy))] if busy else [there]
    if stuck := finding.facts.get("hung", 0):
        words.append(ngettext("%(n)s not responding", "%(n)s not responding", stuck, n=format_decimal(stuck)))
    return ", ".join(words)


def worker_words(kind: str) -> str:
    """What the workers of a kind do, for people who know no program by its name."""
    return str(WORKERS.get(kind, kind))


def _sweep(finding: HealthFinding) -> str:
    return gettext("Finished:") if finding.facts["at"] else gettext("Not run yet.")


def _queue(finding: HealthFinding) -> str:
    n = finding.facts["n"]
    if not n:
        return gettext("Nothing is waiting.")
    return ngettext("%(n)s waiting; the oldest since:", "%(n)s waiting; the oldest since:", n, n=format_decimal(n))


def _redis(finding: HealthFinding) -> str:
    lengths = finding.facts["lengths"]
    if "refuses" in finding.facts:
        return gettext("Responding, but refusing to store messages.")
    if "error" in finding.facts:
        return gettext("Not responding.")
    if "policy" in finding.facts:
        return gettext("Responding, but it may delete messages (%(policy)s).", policy=finding.facts["policy"])
    listed = ", ".join(f"{worker_words(name)} {format_decimal(n)}" for name, n in lengths.items()) or "–"
    return gettext("Responding. Messages: %(lengths)s", lengths=listed)


def _database(finding: HealthFinding) -> str:
    if finding.facts["size"] is None:
        return gettext("Not responding.")
    size = size_words(finding.facts["size"])
    if finding.facts["seconds"] is None:
        return gettext("%(size)s, responding quickly", size=size)
    return gettext("%(size)s, took %(n)s s to respond", size=size, n=format_decimal(finding.facts["seconds"]))


def _clock(finding: HealthFinding) -> str:
    wrong = finding.facts["wrong"]
    if not wrong:
        return gettext("All machines agree.")
    return ", ".join(
        gettext("%(machine)s: off by %(n)s s", machine=host, n=format_decimal(round(seconds)))
        for host, seconds in wrong.items()
    )


def _disk(finding: HealthFinding) -> str:
    facts = finding.facts
    return gettext("%(free)s of %(total)s free", free=size_words(facts["free"]), total=size_words(facts["total"]))


def _storage(finding: HealthFinding) -> str:
    if "error" in finding.facts:
        return gettext("The files cannot be reached.")
    if finding.state == HealthState.BAD:
        return gettext("There are other machines, and this one stores files in a folder of its own.")
    return gettext("Files can be stored and read.")


def _key(finding: HealthFinding) -> str:
    if finding.state == HealthState.BAD:
        return gettext("It is not the same as on the other machines.")
    return gettext("It is the same on all machines.")


def _recipes(finding: HealthFinding) -> str:
    if missing := finding.facts["missing"]:
        return gettext("Other machines offer these, but this one cannot: %(names)s", names=", ".join(missing))
    return gettext("Everything that other machines offer.")


def _sources(finding: HealthFinding) -> str:
    failing = finding.facts["failing"]
    if failing:
        return gettext("With problems: %(names)s", names=", ".join(source_title(name) for name in failing))
    n = finding.facts["n"]
    return ngettext("%(n)s source, working normally", "%(n)s sources, all working normally", n, n=format_decimal(n))


def _notices(finding: HealthFinding) -> str:
    n, undelivered = finding.facts["n"], finding.facts["undelivered"]
    parts = [ngettext("%(n)s waiting", "%(n)s waiting", n, n=format_decimal(n)) if n else gettext("None waiting")]
    if undelivered:
        parts.append(
            ngettext(
                "%(n)s not delivered in the last week",
                "%(n)s not delivered in the last week",
                undelivered,
                n=format_decimal(undelivered),
            )
        )
    if refused := finding.facts["refused"]:
        parts.append(
            ngettext(
                "%(n)s address refused by the mail server",
                "%(n)s addresses refused by the mail server",
                refused,
                n=format_decimal(refused),
            )
        )
    if finding.facts["since"]:
        parts.append(gettext("the oldest since:"))
    return ", ".join(parts)


DESCRIBE: dict[str, Callable[[HealthFinding], str]] = {
    "sweep": _sweep,
    "queue_intake": _queue,
    "queue_scrape": _queue,
    "redis": _redis,
    "database": _database,
    "clock": _clock,
    "disk": _disk,
    "storage": _storage,
    "key": _key,
    "recipes": _recipes,
    "sources": _sources,
    "notices": _notices,
}
