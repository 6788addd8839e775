"""The guess on 500 made lists with nine-digit rivals, blanks and bad cells. The shares are those that the portal
promises; `made_lists` knows the truth by construction."""

from collections import Counter
from pathlib import Path

import pytest

from portal.documents.reader.limits import ReadLimits
from portal.documents.reader.parent import SheetFacts, add_guesses, likeliest_sheet
from tests.documents.reader.made_lists import MadeList, made_lists
from tests.documents.sheets import written


def judged(made: MadeList, folder: Path) -> dict[str, bool]:
    """Guess one list, and judge each part of the guess."""
    found = []
    for index, lines in enumerate(made.sheets):
        facts = SheetFacts(index, f"Hoja{index + 1}", rows=len(lines), columns=max(map(len, lines)))
        add_guesses(facts, written(folder / str(index), lines), ReadLimits(), "ES")
        found.append(facts)
    facts = found[made.sheet]
    first = likeliest_sheet([facts for facts in found if facts.usable])
    verdicts = {"sheet": first is not None and first.index == made.sheet}
    if made.named:
        verdicts["header"] = facts.header_row == made.header_row
        verdicts["column, named"] = facts.number_column == made.column
        if len(made.numbers) > 1:
            verdicts["two columns"] = set(facts.likely_columns) == set(made.numbers)
    else:  # a title above may be called the heading, a row of the list may not
        verdicts["header"] = facts.header_row <= made.titles
        verdicts["column, not named"] = facts.number_column in made.numbers
        if len(made.numbers) > 1:  # nothing tells an id from a number here: one column more may be offered
            verdicts["two columns"] = set(facts.likely_columns) >= set(made.numbers)
    if facts.number_column in made.numbers:
        by_row = made.country_column is not None and facts.country_column == made.country_column
        verdicts["country"] = by_row or made.country in (facts.country, *facts.rival_countries)
    return verdicts


PROMISED = {
    "sheet": 1.0, "header": 1.0, "column, named": 0.98, "two columns": 0.95, "country": 1.0, "column, not named": 0.75,
}  # fmt: skip


PARTS = 4  # 500 lists, shared by the workers of a test run


@pytest.mark.parametrize("part", range(PARTS))
def test_the_guess_is_right_on_made_lists(tmp_path: Path, part: int) -> None:
    right: Counter[str] = Counter()
    of: Counter[str] = Counter()
    for number, made in enumerate(made_lists(500 // PARTS, seed=14 + part)):
        folder = tmp_path / str(number)
        folder.mkdir()
        verdicts = judged(made, folder)
        right.update(name for name, fine in verdicts.items() if fine)
        of.update(list(verdicts))
    shares = {name: f"{right[name]} of {of[name]}" for name in PROMISED}
    print(shares)
    assert all(right[name] >= share * of[name] for name, share in PROMISED.items()), shares
