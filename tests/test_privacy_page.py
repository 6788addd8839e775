"""docs/privacy.md has every table: one that is added cannot be forgotten there."""

import re

from portal.config import ROOT
from portal.database import db
from tests.support import cast  # noqa: F401 - loads every table

PAGE = ROOT / "docs" / "privacy.md"


def test_the_page_has_every_table_and_no_other() -> None:
    named = set(re.findall(r"^\| `(\w+)`", PAGE.read_text(), re.M))
    assert named == set(db.metadata.tables)


def test_the_readme_links_to_it() -> None:
    assert "(docs/privacy.md)" in (ROOT / "README.md").read_text()
