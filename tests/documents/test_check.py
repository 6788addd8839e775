"""A check of header, column and country gives one result per row, and counts that add up."""

import cProfile
import json
from collections.abc import Callable
from pathlib import Path

from portal.documents.check import BAD_ROWS_SHOWN, CheckFacts, check, check_facts, summarise
from portal.documents.choice import SheetChoice
from portal.phone import PARSER_VERSION, Reason, parse
from tests.documents.sheets import written

LINES = [
    ["Listado"],
    [],
    ["Nombre", "Teléfono"],
    ["Ana", 612345678.0],
    ["Luis", "+34 612 345 678"],
    ["José"],
    [],
    ["Marta", "6,12E+08"],
    ["Iñaki", "0034612345678"],
    ["Eva", "698765432"],
    ["Leo", True],
]


def test_each_cell_of_several_columns_and_each_number_in_it(tmp_path: Path) -> None:
    lines = [
        ["Nombre", "Fijo", "Móvil"],
        ["Ana", "911111111", "611111111"],
        ["Luis", None, "622222222 / 633333333"],
        ["Eva", "611111111", "x"],
        ["Leo"],
        ["Sam", "644444444", "644444444"],
    ]
    sheet = written(tmp_path / "s", lines)
    found = [(cell.row_no, cell.column, cell.place, cell.phone_e164 or cell.reason, cell.duplicate_of)
             for cell in check(sheet, SheetChoice(0, 1, (1, 2), "ES"))]  # fmt: skip
    assert found == [
        (2, 1, 1, "+34911111111", None),
        (2, 2, 1, "+34611111111", None),
        (3, 2, 1, "+34622222222", None),
        (3, 2, 2, "+34633333333", None),
        (4, 1, 1, "+34611111111", 2),
        (4, 2, 1, Reason.NOT_A_NUMBER, None),
        (5, 1, 1, Reason.BLANK, None),  # one for the row, as all of its cells are blank
        (6, 1, 1, "+34644444444", None),
        (6, 2, 1, "+34644444444", 6),
    ]
    facts = check_facts(sheet, SheetChoice(0, 1, (1, 2), "ES"))
    assert (facts.total, facts.rows) == (9, 5)
    assert (facts.to_look_up, facts.duplicates, facts.invalid, facts.blank) == (5, 2, 1, 1)
    assert facts.bad_rows == [(4, "x", "not_a_number", (), 2)]


def test_every_row_below_the_header_appears_once(tmp_path: Path) -> None:
    sheet = written(tmp_path / "s", LINES)
    found = [tuple(row) for row in check(sheet, SheetChoice(0, 3, (1,), "ES"))]
    assert found == [
        (4, 1, 1, "612345678", "+34612345678", None, None, (), None),
        (5, 1, 1, "+34 612 345 678", "+34612345678", None, 4, (), None),
        (6, 1, 1, "", None, Reason.BLANK, None, (), None),
        (7, 1, 1, "", None, Reason.BLANK, None, (), None),
        (8, 1, 1, "6,12E+08", None, Reason.EXCEL_DAMAGED, None, (), None),
        (9, 1, 1, "0034612345678", "+34612345678", None, 4, (), None),
        (10, 1, 1, "698765432", "+34698765432", None, None, (), None),
        (11, 1, 1, "TRUE", None, Reason.NOT_A_NUMBER, None, (), None),
    ]


def test_counts_match_the_rows_and_survive_json(tmp_path: Path) -> None:
    facts = check_facts(written(tmp_path / "s", LINES), SheetChoice(0, 3, (1,), "ES"))
    assert (facts.total, facts.to_look_up, facts.duplicates, facts.invalid, facts.blank) == (8, 2, 2, 2, 2)
    assert facts.reasons == {"excel_damaged": 1, "not_a_number": 1}
    assert facts.bad_rows == [(8, "6,12E+08", "excel_damaged", (), 1), (11, "TRUE", "not_a_number", (), 1)]
    assert CheckFacts.from_dict(json.loads(json.dumps(facts.to_dict()))) == facts


def test_without_a_header_the_first_row_is_data(tmp_path: Path) -> None:
    sheet = written(tmp_path / "s", [[612345678], [698765432]])
    assert [row.row_no for row in check(sheet, SheetChoice(0, 0, (0,), "ES"))] == [1, 2]
    assert check_facts(sheet, SheetChoice(0, 2, (0,), "ES")) == CheckFacts()


def test_a_missing_cell_is_blank(tmp_path: Path) -> None:
    assert (
        check_facts(written(tmp_path / "s", [["a"], ["b", "c", 612345678]]), SheetChoice(0, 0, (2,), "ES")).blank == 1
    )


def test_a_date_is_not_a_number(tmp_path: Path) -> None:
    sheet = tmp_path / "s"
    sheet.write_text('[{"d":"2126-05-05T00:00:00"}]\n')
    assert parse("2126-05-05", "DK").reason is None
    assert [tuple(row)[3:6] for row in check(sheet, SheetChoice(0, 0, (0,), "DK"))] == [
        ("2126-05-05", None, Reason.DATE)
    ]


def test_a_price_a_sum_or_a_coordinate_is_not_a_number(tmp_path: Path) -> None:
    cells = [
        6234567.5,
        712345.67,
        -912345644,
        "-89.1526108",
        "7941234,56",
        "1.234.567,80 €",
        41.3850639,
        "6.234.567,00",
    ]
    sheet = written(tmp_path / "s", [[cell] for cell in cells])
    amounts = check_facts(sheet, SheetChoice(0, 0, (0,), "ES"))
    assert (amounts.to_look_up, amounts.invalid) == (0, len(cells))
    assert amounts.reasons == {"amount": 6, "negative": 2}


def test_counts_of_an_earlier_parser_are_not_shown() -> None:
    assert SheetChoice(0, 1, (1,), "ES").key != "0:1:1:ES"
    assert SheetChoice(0, 1, (1,), "ES").key.endswith(f":{PARSER_VERSION}")


def test_the_country_decides_what_is_valid(tmp_path: Path) -> None:
    sheet = written(tmp_path / "s", [["06 12 34 56 78"]])
    assert check_facts(sheet, SheetChoice(0, 0, (0,), "ES")).invalid == 1
    assert check_facts(sheet, SheetChoice(0, 0, (0,), "FR")).to_look_up == 1


def test_the_list_of_bad_rows_is_limited(tmp_path: Path) -> None:
    facts = check_facts(written(tmp_path / "s", [["x" * 500]] * (BAD_ROWS_SHOWN + 5)), SheetChoice(0, 0, (0,), "ES"))
    assert facts.invalid == BAD_ROWS_SHOWN + 5
    assert len(facts.bad_rows) == BAD_ROWS_SHOWN
    assert len(facts.bad_rows[0][1]) == 200


def test_a_cell_is_parsed_once_and_little_is_done_beside_it(tmp_path: Path) -> None:
    texts = [f"6{n:08d}" for n in range(5000)]
    sheet = written(tmp_path / "s", [["Nombre", text, "Calle Mayor 1", "Madrid"] for text in texts])
    facts = None

    def parse_all() -> None:
        for text in texts:
            parse(text, "ES")

    def check_all() -> None:
        nonlocal facts
        facts = summarise(check(sheet, SheetChoice(0, 0, (1,), "ES")))

    parse_all()  # what is made once in a process is not counted
    check_all()
    of_parsing, of_checking = calls(parse_all), calls(check_all)
    assert facts is not None and facts.to_look_up > 0 and facts.total == 5000
    assert of_checking - of_parsing < 16 * len(texts), f"{of_checking} calls where parsing makes {of_parsing}"


def calls(work: Callable[[], None]) -> int:
    """The calls of functions that some work makes: the same on a busy machine and on a quiet one."""
    profile = cProfile.Profile()
    profile.runcall(work)
    return sum(entry.callcount for entry in profile.getstats())
