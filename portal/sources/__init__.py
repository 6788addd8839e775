"""Where answers come from. A source answers numbers, and knows no database, no Flask and no job.

`get(name)` gives a source by name and `names()` lists them. The offline source ships with the portal; every other is
one TOML file, a recipe, which `catalogue` reads at the start and again once it has changed. A test, or a worker of its
own, may `register` another. What a page may ask of a source (`facts_of`, `fields_of`, …) is answered without making it.

The rooms inside: `recipes` (reading a recipe's file) and `limits` (rate limiter, circuit breaker) know neither each
other nor `http`, which asks a source by its recipe. `catalogue`, `selftest` and `trial` are above all three; what is
imported here is not, so that whoever only needs a source's name loads neither recipes nor requests. `stats`, `pause`
and `answer_cache` keep what the portal knows about sources in the database.
"""

from portal.sources.base import Source, SourceFacts
from portal.sources.registry import (
    UnknownSource,
    data_version,
    facts_of,
    fields_of,
    get,
    names,
    register,
    seconds_for,
    unregister,
    warm,
)

__all__ = [
    "Source",
    "SourceFacts",
    "UnknownSource",
    "data_version",
    "facts_of",
    "fields_of",
    "get",
    "names",
    "register",
    "seconds_for",
    "unregister",
    "warm",
]
