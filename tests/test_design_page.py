"""docs/design.md names what is in the styles, and all of it; sizes and colours are tokens."""

import re

import pytest

from portal.config import ROOT

PAGE = (ROOT / "docs" / "design.md").read_text()
STYLES = "".join((ROOT / "static" / name).read_text() for name in ("portal.css", "desk.css"))
RULES = re.sub(r"/\*.*?\*/", "", STYLES, flags=re.S)
MOST_BYTES = 100 * 1024


def test_every_token_of_the_page_is_in_the_styles_and_the_other_way_round() -> None:
    (root,) = re.findall(r":root \{\s*color-scheme: light dark;.*?\n  \}", RULES, re.S)
    defined = set(re.findall(r"(--[\w-]+):", root))
    named = set(re.findall(r"`(--[\w-]+)`", PAGE)) | {f"--s{n}" for n in range(1, 8)}
    assert named == defined
    used = set(re.findall(r"var\((--[\w-]+)\)", RULES))
    assert used <= defined | {"--cover", "--bar", "--tone", "--value", "--depth"}, (
        "a rule uses a token that nobody defines"
    )


def test_every_class_of_the_page_is_in_the_styles() -> None:
    spans = re.findall(r"`([^`\n]+)`", PAGE)
    names = {name for span in spans for name in re.findall(r"(?<![\w/-])\.([a-z][\w-]+)", span)}
    assert len(names) > 30
    assert [name for name in sorted(names) if not re.search(rf"\.{name}(?![\w-])", RULES)] == []


def test_letters_and_colours_are_tokens() -> None:
    sizes = set(re.findall(r"font-size: ([^;}]+)", RULES))
    assert {size for size in sizes if not size.startswith("var(")} == {"0", "inherit", "62.5%"}  # hidden, and on paper
    outside = re.sub(r":root \{\s*color-scheme: light dark;.*?\n  \}", "", RULES, flags=re.S)
    assert re.findall(r"#[0-9a-f]{3,8}\b", outside) == re.findall(r"#[0-9a-f]{6}\b", "#ffd84d #8a5a00"), (
        "the brand's own"
    )


@pytest.mark.parametrize("name", re.findall(r"\]\((design/[^)]+)\)", PAGE))
def test_each_picture_is_there_and_small(name: str) -> None:
    assert 0 < (ROOT / "docs" / name).stat().st_size < MOST_BYTES


def test_no_picture_is_left_over() -> None:
    there = {f"design/{file.name}" for file in (ROOT / "docs" / "design").iterdir()}
    assert there == set(re.findall(r"\]\((design/[^)]+)\)", PAGE))
