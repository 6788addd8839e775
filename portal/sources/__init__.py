"""Where answers come from. A source looks numbers up, and knows no database, no Flask and no job.

`get(name)` returns a source by name and `names()` lists them. The offline source ships with the portal; every other is
one TOML file, a recipe, which `catalogue` reads at the start and again when it changes. A test, or a worker of its own,
may `register` another. What a page needs to know about a source (`facts_of`, `fields_of`, …) does not create it.

The rooms inside: `recipes` (reads recipe files) and `limits` (rate limiter, circuit breaker) know neither each other
nor `http`, which sends requests as a recipe says. `catalogue`, `selftest` and `trial` use all three. This module
imports none of them, so that code that only needs a source's name loads neither recipes nor requests. `stats`, `pause`
and `answer_cache` store in the database what the portal knows about sources.
"""

from portal.sources.base import Source, SourceFacts
from portal.sources.registry import (
    UnknownSource,
    data_version,
    facts_of,
    fields_of,
    get,
    longest_answer,
    most_workers,
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
    "longest_answer",
    "most_workers",
    "names",
    "register",
    "seconds_for",
    "unregister",
    "warm",
]
