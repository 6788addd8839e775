"""All sources by name. Questions that a page has about a source are answered without creating it, as the offline
source's tables take 100 MB that a web process never needs.
"""

from collections.abc import Callable
from datetime import timedelta

from portal.sources import offline_facts
from portal.sources.base import Source, SourceFacts
from portal.sources.several import BETWEEN, FOUND_BY, base_of, key_of, names_of

Maker = Callable[[], Source]
UNKNOWN_SECONDS = 60.0  # that an answer may take of a source that only another machine offers
SAVED_SECONDS = 2.0  # from an answer to its being saved

_makers: dict[str, Maker] = {}
_made: dict[str, Source] = {}
_facts: dict[str, SourceFacts] = {}


class UnknownSource(LookupError):
    """No source has that name."""


def register(name: str, make: Maker, facts: SourceFacts | None = None) -> None:
    """Register a source, which is created on first use. Without `facts`, a question about it creates it too."""
    _makers[name] = make
    _made.pop(name, None)
    _facts.pop(name, None)
    if facts is not None:
        _facts[name] = facts


def unregister(name: str) -> None:
    """Remove a source, if it is registered."""
    for known in (_makers, _made, _facts):
        known.pop(name, None)


def names() -> tuple[str, ...]:
    """The names of all sources in the order of registration: the offline source comes first."""
    return tuple(_makers)


def get(name: str) -> Source:
    """The source with that name, created once in each process. Raises UnknownSource."""
    if name not in _makers:
        raise UnknownSource(name)
    if name not in _made:
        _made[name] = _makers[name]()
    return _made[name]


def facts_of(name: str) -> SourceFacts:
    """The facts of a source; one that was registered without facts is created for this. Raises UnknownSource."""
    if name in _facts:
        return _facts[name]
    source = get(name)
    return SourceFacts(tuple(source.fields), source.concurrency, source.data_version, source.seconds_for(1))


def most_workers(name: str) -> int | None:
    """How many workers may look up one file's numbers at this source at once. None: as many as are free."""
    try:
        return facts_of(name).workers
    except UnknownSource:
        return 1


def longest_answer(name: str) -> timedelta:
    """How long after a moment an answer to a question that was asked before it may still be saved."""
    try:
        seconds = getattr(get(name), "answer_seconds", 0.0)
    except UnknownSource:
        seconds = UNKNOWN_SECONDS
    return timedelta(seconds=seconds + SAVED_SECONDS)


def fields_of(name: str) -> tuple[str, ...]:
    """The columns that the source adds to a file, in order; of several, as `several` names them. Raises
    UnknownSource."""
    if BETWEEN not in name:
        return facts_of(name).fields
    of_each = enumerate(map(fields_of, names_of(name)), start=1)
    return (FOUND_BY, *(key_of(field, step) for step, fields in of_each for field in fields))


def data_version(name: str) -> str:
    """The version of the source's data. Raises UnknownSource."""
    return facts_of(name).data_version


def seconds_for(name: str, numbers: int) -> float:
    """About how many seconds so many lookups take. Raises UnknownSource."""
    return facts_of(name).seconds_for(numbers) if name in _facts else get(name).seconds_for(numbers)


def is_yes_no(field: str) -> bool:
    """Whether a field of that name has the values yes and no at any source that was registered with facts."""
    return any(base_of(field) in facts.yes_no for facts in _facts.values())


def warm() -> None:
    """Load the offline source's tables. Only a worker calls this, before it forks."""
    from portal.sources import offline

    offline.warm()


def _offline() -> Source:
    # Imported on first use: importing it with this module would load the tables in the web process.
    from portal.sources.offline import OfflineSource

    return OfflineSource()


register("offline", _offline, offline_facts.FACTS)
