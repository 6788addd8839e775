"""Every source, field and code has its words."""

from flask import Flask
from flask_babel import force_locale

from portal import sources
from portal.sources.offline_facts import LINE_TYPES, SPANISH_LINE_TYPES
from portal.sources.words import (
    CODED,
    DESCRIPTIONS,
    FIELDS,
    TITLES,
    field_label,
    source_description,
    source_title,
    value_words,
    version_words,
)
from portal.sources.words import LINE_TYPES as LINE_TYPE_WORDS


def test_every_shipped_source_has_all_its_words() -> None:
    for name in sources.names():
        assert name in TITLES
        assert name in DESCRIPTIONS
        assert set(sources.fields_of(name)) <= set(FIELDS)


def test_every_line_type_has_its_word() -> None:
    assert {*LINE_TYPES.values(), *SPANISH_LINE_TYPES} == set(LINE_TYPE_WORDS)


def test_codes_become_words_and_names_stay(app: Flask) -> None:
    with force_locale("en"):
        assert value_words("line_type", "toll_free") == "toll-free"
        assert value_words("country", "ES") == "Spain"
        assert value_words("country", "001") == "world"
        assert value_words("original_operator", "mobile") == "mobile"
        for field in set(FIELDS) - CODED:
            assert value_words(field, "ES") == "ES"
        assert field_label("original_operator") == "Original operator (may have changed)"
    with force_locale("es"):
        assert value_words("country", "ES") == "España"


def test_codes_without_words_are_shown_as_they_are(app: Flask) -> None:
    with force_locale("en"):
        assert source_title("operator-api") == "operator-api"
        assert source_description("operator-api") == ""
        assert field_label("current_operator") == "current operator"
        assert value_words("line_type", "smoke_signal") == "smoke_signal"
        assert value_words("country", "??") == "??"


def test_a_version_is_shown_without_our_word_for_a_recipe() -> None:
    assert version_words("recipe 66856a53, recipe 77fd0942") == "66856a53, 77fd0942"
    assert version_words("libphonenumber 9.0.43, CNMC 2026-11-29") == "libphonenumber 9.0.43, CNMC 2026-11-29"
