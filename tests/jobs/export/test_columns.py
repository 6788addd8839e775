"""Which columns are added: what comes by default, what a choice may say, and names that are never twice the same."""

import pytest
from flask import Flask
from flask_babel import force_locale
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.jobs.export.columns import (
    DEFAULT,
    LONGEST_NAME,
    ColumnChoice,
    ColumnsRefused,
    Pick,
    checked,
    choice_from,
    columns_of,
    each_once,
    same_name,
    titles_of,
)

FIELDS = ("e164", "national", "line_type", "country", "province", "original_operator", "time_zone")
COLUMNS = columns_of(FIELDS)
IDS = [column.id for column in COLUMNS]
IN_CONTEXT = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def picks(**names: str) -> list[Pick]:
    """The portal's default with these names."""
    titles = titles_of(COLUMNS, "")
    return [Pick(one.id, one.is_useful, names.get(one.id, titles[one.id])) for one in COLUMNS]


def refused(*given_picks: Pick, columns: tuple[object, ...] = COLUMNS) -> dict[str, str]:
    with pytest.raises(ColumnsRefused) as error:
        checked(given_picks, columns, "")  # type: ignore[arg-type]
    return dict(error.value.problems)


def test_status_and_what_is_useful_come_and_diagnostics_wait_for_a_tick(app: Flask) -> None:
    by_default = DEFAULT.picks_of(COLUMNS)
    assert [pick.id for pick in by_default if pick.is_shown] == [
        "row", "change", "status", "line_type", "country", "province", "original_operator", "reason", "what_to_do",
        "corrected",
    ]  # fmt: skip
    assert [pick.id for pick in by_default if not pick.is_shown] == [
        "e164", "national", "time_zone", "checked_at", "duplicate_of"
    ]  # fmt: skip


def test_names_are_in_the_readers_language_and_short(app: Flask) -> None:
    for language, name in (("es", "Operador de origen"), ("en", "Original operator")):
        with force_locale(language):
            assert titles_of(COLUMNS, "")["original_operator"] == name


def test_a_field_that_is_called_like_one_of_our_columns_is_another_column(app: Flask) -> None:
    columns = columns_of(("status", "carrier"))
    with force_locale("en"):
        titles = titles_of(columns, "")
    assert titles["status"] == "Status" and titles["answer.status"] == "status 2"
    assert len({same_name(title) for title in titles.values()}) == len(columns)


def test_a_field_that_the_source_gets_later_comes_last(app: Flask) -> None:
    kept = ColumnChoice((Pick("country", True, "País"), Pick("status", False), Pick("gone", True)))
    assert [(pick.id, pick.is_shown) for pick in kept.picks_of(columns_of(("country", "risk")))][:5] == [
        ("country", True), ("status", False), ("row", True), ("change", True), ("risk", True)
    ]  # fmt: skip


@IN_CONTEXT
@given(names=st.lists(st.text(min_size=1, max_size=80)), taken=st.lists(st.text(max_size=80)))
def test_a_name_is_never_there_twice_nor_one_of_the_sheets(app: Flask, names: list[str], taken: list[str]) -> None:
    found = each_once(names, taken)
    keys = [same_name(name) for name in found]
    assert len(keys) == len(names) == len(set(keys))
    assert not set(keys) & {same_name(name) for name in taken}
    assert all(one == name or len(one) <= LONGEST_NAME for one, name in zip(found, names, strict=True))


@IN_CONTEXT
@given(order=st.permutations(IDS), shown=st.sets(st.sampled_from(IDS), min_size=1), data=st.data())
def test_what_is_accepted_has_names_that_differ(
    app: Flask, order: list[str], shown: set[str], data: st.DataObject
) -> None:
    names = st.text(max_size=8) | st.sampled_from(["Estado", "estado ", "ESTADO"])
    asked = [Pick(name, name in shown, data.draw(names)) for name in order]
    with force_locale("es"):
        titles = titles_of(COLUMNS, "")
        try:
            kept = checked(asked, COLUMNS, "")
        except ColumnsRefused as error:
            assert error.problems and all(error.problems.values())
            return
    assert [pick.id for pick in kept] == order
    written = [same_name(pick.name or titles[pick.id]) for pick in kept if pick.is_shown]
    assert len(written) == len(set(written)) and "" not in written


def test_a_name_that_is_the_columns_own_follows_the_language(app: Flask) -> None:
    with force_locale("es"):
        kept = checked(picks(status="  Mi estado "), COLUMNS, "")
    assert {pick.id: pick.name for pick in kept if pick.name} == {"status": "Mi estado"}


@pytest.mark.parametrize(
    ("name", "english", "spanish"),
    [
        ("", "Write a name", "Escribe un nombre"),
        (" \u200b ", "Write a name", "Escribe un nombre"),
        ("x" * 300, "300 characters", "300 caracteres"),
        ("=1+1", "formula", "fórmula"),
        ("@SUM(A1)", "formula", "fórmula"),
        ("a;=1+1", "formula", "fórmula"),
        ("a\x07b", "cannot be seen", "no se ven"),
        ("a\tb", "cannot be seen", "no se ven"),
        ("\u202eoda", "cannot be seen", "no se ven"),
    ],
)
def test_a_name_that_cannot_be_used_gets_a_sentence(app: Flask, name: str, english: str, spanish: str) -> None:
    for language, sentence in (("en", english), ("es", spanish)):
        with force_locale(language):
            problems = refused(*picks(country=name))
        assert list(problems) == ["country"] and sentence in problems["country"]


def test_a_name_given_twice_is_said_at_both(app: Flask) -> None:
    with force_locale("es"):
        problems = refused(*picks(status="Dato", country="dato"))
        assert set(problems) == {"status", "country"} and "Otra columna" in problems["status"]
        assert set(refused(*picks(status="País"))) == {"status", "country"}, "the portal's own names count too"
        checked([one._replace(is_shown=one.id != "country") for one in picks(status="País")], COLUMNS, "")


@pytest.mark.parametrize("wrong", ["missing", "unknown", "twice", "none", "nothing"])
@pytest.mark.parametrize("language", ["es", "en"])
def test_a_nonsense_list_is_refused_as_a_whole(app: Flask, wrong: str, language: str) -> None:
    with force_locale(language):
        refuse_nonsense(wrong)


def refuse_nonsense(wrong: str) -> None:
    good = picks()
    lists = {
        "missing": good[1:], "unknown": [*good, Pick("colour", True, "Color")], "twice": [*good, good[0]],
        "none": [one._replace(is_shown=False) for one in good], "nothing": [],
    }  # fmt: skip
    assert refused(*lists[wrong])[""]


def test_an_address_chooses_by_ids_in_order(app: Flask) -> None:
    with force_locale("en"):
        choice = choice_from("reason, line_type=Kind of line,status", COLUMNS, "")
        everything = choice_from("all", COLUMNS, "")
    assert [tuple(pick) for pick in choice.picks if pick.is_shown] == [
        ("reason", True, ""), ("line_type", True, "Kind of line"), ("status", True, "")
    ]  # fmt: skip
    assert choice.keeps_empty and all(pick.is_shown for pick in everything.picks)
    assert choice_from("default", COLUMNS, "") == DEFAULT


@pytest.mark.parametrize(
    "asked", ["", ",", "colour", "status,status", "status=,reason", "status==1", "x" * 5000, "status=País,country"]
)
def test_an_address_that_asks_for_what_there_is_not_is_refused(app: Flask, asked: str) -> None:
    with force_locale("es"), pytest.raises(ColumnsRefused) as error:
        choice_from(asked, COLUMNS, "")
    assert all(len(sentence) < 400 for sentence in error.value.problems.values())
