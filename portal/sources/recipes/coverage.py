"""Which numbers a source is asked about, by country and kind of line. Asks nobody: the numbering plans know it."""

from portal.sources.offline_facts import country_and_line
from portal.sources.recipes.model import Coverage

EITHER = {"fixed_or_mobile": frozenset(("fixed", "mobile"))}  # where a plan does not tell the two


def is_covered(e164: str, only: Coverage) -> bool:
    """Whether the source is asked about this number. One whose kind of line nobody knows is."""
    country, line = country_and_line(e164)
    if only.countries and country not in only.countries:
        return False
    return not only.lines or not line or bool(only.lines & {line, *EITHER.get(line, ())})
