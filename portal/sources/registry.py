"""The sources that there are, by name. What a page may ask of one is answered without making it: the offline source's
tables take 100 MB, which a web process never needs.
"""

from collections.abc import Callable

from portal.sources import offline_facts
from portal.sources.base import Source, SourceFacts

Maker = Callable[[], Source]

_makers: dict[str, Maker] = {}
_made: dict[str, Source] = {}
_facts: dict[str, SourceFacts] = {}


class UnknownSource(LookupError):
    """There is no source of that name."""


def register(name: str, make: Maker, facts: SourceFacts | None = None) -> None:
    """Make a source known under a name; it is made at its first use. Without `facts`, a question about it makes it."""
    _makers[name] = make
    _made.pop(name, None)
    _facts.pop(name, None)
    if facts is not None:
        _facts[name] = facts


def unregister(name: str) -> None:
    """Forget a source; one that is not there is no error."""
    for known in (_makers, _made, _facts):
        known.pop(name, None)


def names() -> tuple[str, ...]:
    """The names of all sources, the one that ships with the portal first."""
    return tuple(_makers)


def get(name: str) -> Source:
    """The source of that name, made once a process. Raises UnknownSource."""
    if name not in _makers:
        raise UnknownSource(name)
    if name not in _made:
        _made[name] = _makers[name]()
    return _made[name]


def facts_of(name: str) -> SourceFacts:
    """What can be said of a source without making it, where it gave its facts. Raises UnknownSource."""
    if name in _facts:
        return _facts[name]
    source = get(name)
    return SourceFacts(tuple(source.fields), source.concurrency, source.data_version, source.seconds_for(1))


def fields_of(name: str) -> tuple[str, ...]:
    """The columns that the source adds to a file, in order. Raises UnknownSource."""
    return facts_of(name).fields


def data_version(name: str) -> str:
    """What the source's answers rest on. Raises UnknownSource."""
    return facts_of(name).data_version


def seconds_for(name: str, numbers: int) -> float:
    """About how long so many lookups take. Raises UnknownSource."""
    return facts_of(name).seconds_for(numbers) if name in _facts else get(name).seconds_for(numbers)


def is_yes_no(field: str) -> bool:
    """Whether a field of that name has the values yes and no, at any source that says so unmade."""
    return any(field in facts.yes_no for facts in _facts.values())


def warm() -> None:
    """Load the offline source's tables. A worker calls this before it forks, and nobody else."""
    from portal.sources import offline

    offline.warm()


def _offline() -> Source:
    # Imported at first use and not with this module: this is what keeps the tables out of the web process.
    from portal.sources.offline import OfflineSource

    return OfflineSource()


register("offline", _offline, offline_facts.FACTS)
