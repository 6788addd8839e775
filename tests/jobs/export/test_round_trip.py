"""Any cell comes back unchanged, from the workbook and from the CSV."""

import csv
import datetime
import io
import json
import re
from pathlib import Path

from flask import Flask
from flask_babel import force_locale
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from portal.documents.reader.sheet_file import cell_of
from portal.jobs.export.csv_cells import harmless, harmless_throughout
from portal.jobs.export.csv_file import csv_pieces
from portal.jobs.export.lines import ExportPlan, RowFilter
from portal.jobs.export.xlsx import write_xlsx
from portal.phone import parse
from tests.jobs.export.exporting import rows_in

SEEN_IN_LISTS = [
    "0612345678", "+34612345678", "0034 612 345 678", "1234567890123456", "=1+1", "@x", "-", "'612345678", " 7 ", "\t",
    "٠٦١٢٣٤٥٦٧٨", "هاتف", "📞", "６１２", "a\nb", "<r><t>x</t></r>", "<&>\"'", "TRUE", "6,12E+08", "1e5", "#N/A",
]  # fmt: skip
# Without characters that a cell cannot hold (test_export covers them), and without Excel's own escape _x0041_, which
# openpyxl reads literally and Excel does not.
_LETTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff", include_characters="\n\t")
TEXTS = (st.sampled_from(SEEN_IN_LISTS) | st.text(_LETTERS, min_size=1)).filter(
    lambda text: not re.search("_x[0-9a-fA-F]{4}_", text)
)
FIRST, LAST = datetime.datetime(1900, 3, 1), datetime.datetime(2199, 12, 31)  # noqa: DTZ001 - Excel's have no zone
MOMENTS = st.datetimes(FIRST, LAST).map(lambda moment: moment.replace(microsecond=0))
NUMBERS = st.integers(-(10**15), 10**15) | st.floats(allow_nan=False, allow_infinity=False)
CELLS = st.none() | TEXTS | st.booleans() | NUMBERS | MOMENTS
ROWS = st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=12)
NUMBER_COLUMN = 1


def plan_on(folder: Path, rows: list[list[object]]) -> ExportPlan:
    """A plan for a sheet with these rows below a header, of a job without a ledger: only the cells matter."""
    path = folder / "sheet.jsonl"
    text = [json.dumps([cell_of(value) for value in row]) for row in [["Nombre", "Tel", "Nota"], *rows]]
    path.write_text("\n".join(text) + "\n")
    return ExportPlan(
        job_id=0, sheet_path=path, sheet_name="Hoja", width=3, header_row=1, column=NUMBER_COLUMN, fields=(),
        rows=RowFilter.ALL, group=None, time_zone="Europe/Madrid", about="",
    )  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_every_cell_of_a_workbook_comes_back_equal(app: Flask, tmp_path: Path, rows: list[list[object]]) -> None:
    out = io.BytesIO()
    with force_locale("en"):
        write_xlsx(plan_on(tmp_path, rows), out)

    read = [row[:3] for row in rows_in(load_workbook(out))][1:]

    read += [[None] * 3] * (len(rows) - len(read))  # empty rows at the end are not stored
    for given_row, read_row in zip(rows, read, strict=True):
        for column, (value, back) in enumerate(zip(given_row, read_row, strict=True)):
            if column == NUMBER_COLUMN and isinstance(value, (int, float)) and not isinstance(value, bool):
                assert back == str(cell_of(value))
            else:
                assert back == value
                assert isinstance(back, bool) == isinstance(value, bool)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(TEXTS, min_size=3, max_size=3), min_size=1, max_size=12))
def test_csv_text_comes_back_equal_but_for_its_apostrophes(app: Flask, tmp_path: Path, rows: list[list[str]]) -> None:
    with force_locale("en"):
        written = b"".join(csv_pieces(plan_on(tmp_path, rows)))

    read = list(csv.reader(io.StringIO(written.decode("utf-8-sig"), newline="")))[1:]

    assert [row[:3] for row in read] == [[harmless_throughout(cell) for cell in row] for row in rows]
    for row, back in zip(rows, read, strict=True):
        assert [cell.replace("'", "") for cell in back[:3]] == [cell.replace("'", "") for cell in row]


@given(text=TEXTS)
def test_the_apostrophe_takes_no_number_away(text: str) -> None:
    assert parse(harmless(text), "ES") == parse(text, "ES")


def test_a_private_character_is_no_mark_of_a_formula() -> None:
    assert [cell_of(text) for text in ("\ue000", "\ue000=1", "\ue001")] == ["\ue000", "\ue000=1", "\ue001"]
