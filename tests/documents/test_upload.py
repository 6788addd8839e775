"""A browser's file name is made safe to show."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.documents.upload import clean_name


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("clientes.xlsx", "clientes.xlsx"),
        ("C:\\fakepath\\lista.csv", "lista.csv"),
        ("../../etc/passwd", "passwd"),
        ("mi  lista\t2026.csv", "mi lista 2026.csv"),
        ("photo\u202exslx.exe", "photoxslx.exe"),
        ("a\x00b\x07\x7f.csv", "ab.csv"),
        ("n\u0303.csv", "ñ.csv"),
        ("", "file"),
        (None, "file"),
        ("..", "file"),
        ("/", "file"),
        ("a" * 300 + ".xlsx", "a" * 250 + ".xlsx"),
    ],
)
def test_a_name_is_cleaned(given_name: str | None, kept: str) -> None:
    assert clean_name(given_name) == kept


@given(st.text())
def test_any_name_can_be_stored_and_shown(text: str) -> None:
    name = clean_name(text)
    assert 0 < len(name) <= 255
    assert not any(unicodedata.category(letter).startswith("C") or letter in "/\\" for letter in name)
