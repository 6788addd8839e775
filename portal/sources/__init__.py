"""Where answers come from. A source answers numbers; it knows no database, no Flask and no job.

`get(name)` gives a source by name and `names()` lists them. The offline source ships with the portal; every other is
one TOML file, a recipe, which `configure` looks for at the start and `refresh` again once it has changed. A test, or a
worker of its own, may `register` another. What a page may ask of a source (`facts_of`, `fields_of`, …) is answered
without making it.
"""

from portal.sources.base import Source, SourceFacts
from portal.sources.catalogue import configure, found, look_at, make, refresh
from portal.sources.recipes.folder import RecipeFile
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
    "RecipeFile",
    "Source",
    "SourceFacts",
    "UnknownSource",
    "configure",
    "data_version",
    "facts_of",
    "fields_of",
    "found",
    "get",
    "look_at",
    "make",
    "names",
    "refresh",
    "register",
    "seconds_for",
    "unregister",
    "warm",
]
