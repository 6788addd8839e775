"""The documentation names nothing that is not there: links, files, settings, commands of make, words of the pages.

Commands of `flask` are looked at in `cli/test_commands.py`, the defaults of settings in `runner/test_papers.py`, the
functions that the architecture's page names in `test_architecture_page.py`.
"""

import re

import pytest

from portal.config import ROOT, SETTINGS
from tests.support.catalogue import both_texts, messages

PAGES = ["README.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md")))]
WITH_HISTORY = [*PAGES, "CHANGELOG.md"]
ROOMS = "portal|tests|deploy|static|templates|docs|bench"
# Words in capitals that are no settings of the portal.
OTHER_NAMES = {
    "ARGS", "CHAOS_JOBS", "CHANNELS", "COPY", "DEBUG", "ERROR", "INFO", "LANG", "LANGUAGES", "LC_ALL", "LC_MESSAGES",
    "LOCALES", "NAME", "OPERATOR_KEY", "POST", "RULES", "WARNING", "WRITERS",
}  # fmt: skip
# Words in italics that are no words of a page: stress, words of code, headings of a page of the documentation, a column
# of somebody's file.
STRESS = {"also when the file they came from is deleted", "back", "different", "forward", "job", "sweep", "tú"}
HEADINGS = {"Erasing", "What leaves the machine"}
COLUMNS = {"Fijo: estado", "Móvil: estado"}


def text_of(page: str) -> str:
    return (ROOT / page).read_text()


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", text, re.M)
    }


def dead_links(page: str, text: str) -> list[str]:
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        is_page = bool(anchor) and target.exists()
        if not path.startswith("http") and (
            not target.exists() or (is_page and anchor not in anchors(target.read_text()))
        ):
            dead.append(link)
    return dead


def missing_files(text: str) -> list[str]:
    named = re.findall(rf"`((?:{ROOMS})/[\w./-]*[\w/])`", text)
    return [path for path in named if not (ROOT / path).exists()]


def unknown_settings(text: str) -> set[str]:
    known = {setting.name for setting in SETTINGS} | OTHER_NAMES
    return set(re.findall(r"`([A-Z][A-Z_]{3,})(?:=[^`]*)?`", text)) - known


def unknown_targets(text: str) -> set[str]:
    targets = set(re.findall(r"^([a-z][a-z-]*):", text_of("Makefile"), re.M))
    return set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.M)) - targets


def plain(words: str) -> str:
    """Words without figures, dots and case."""
    figures = re.sub(r"%\(\w+\)s|\b\d+\b", "0", words)
    return re.sub(r"\s+", " ", re.sub(r"[….:’']", "", figures)).strip().lower()


def unknown_words(text: str) -> set[str]:
    """What is in italics and is on no page, in neither language: `*Administration → Health*` are two words."""
    said = {plain(one) for message in messages() for pair in both_texts(message) for one in pair}
    said |= {plain(one) for one in STRESS | HEADINGS | COLUMNS}
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)
    named = re.findall(r"(?<![*\w])\*([^*\s][^*\n]*(?:\n[^*\n]+)?)\*(?![*\w])", prose)
    return {part for one in named for part in re.split(r"\s*→\s*", one) if plain(part) not in said}


@pytest.mark.parametrize("page", WITH_HISTORY)
def test_links_lead_to_files_and_headings(page: str) -> None:
    assert dead_links(page, text_of(page)) == []


@pytest.mark.parametrize("page", WITH_HISTORY)
def test_files_are_there(page: str) -> None:
    assert missing_files(text_of(page)) == []


@pytest.mark.parametrize("page", PAGES)
def test_settings_and_commands_of_make_are_there(page: str) -> None:
    assert (unknown_settings(text_of(page)), unknown_targets(text_of(page))) == (set(), set())


@pytest.mark.parametrize("page", PAGES)
def test_buttons_and_places_are_named_as_the_pages_name_them(page: str) -> None:
    assert unknown_words(text_of(page)) == set()


def test_what_is_wrong_is_found() -> None:
    assert dead_links("README.md", "[a](docs/gone.md) [b](docs/scale.md#gone) [c](docs/scale.md#what-to-watch)") == [
        "docs/gone.md",
        "docs/scale.md#gone",
    ]
    assert missing_files("`portal/gone.py` `portal/clock.py` `tests/web/`") == ["portal/gone.py"]
    assert unknown_settings("`PORTAL_PORTS` `PORTAL_PORT=80` `LIVE`") == {"PORTAL_PORTS"}
    assert unknown_targets("`make runs`, and\nmake tests\nmake run") == {"runs", "tests"}
    assert unknown_words("*Administration → Wealth*, *Try the first 20*, *Retry*, **bold**") == {"Wealth"}
