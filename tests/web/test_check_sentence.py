"""The check page says the choice in one sentence, each part of which opens its own choice; it shows what comes back."""

import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale
from openpyxl import Workbook, load_workbook

from portal.documents.shown_cells import shown_cell
from portal.sources.recipes.model import Case
from tests.support.recipes import recipe, registered
from tests.web.check_page import FRAGMENT, jobs, read, upload


def parts(page: str) -> dict[str, str]:
    """The words of each part of the sentence, by the name of its choice."""
    found = re.findall(r'data-part="(\w+)"(?: open)?>\s*<summary>(.*?)<span class="link">', page, re.S)
    return {name: " ".join(re.sub("<.*?>", "", words).split()) for name, words in found}


def text_of(html: str) -> str:
    return " ".join(re.sub("<.*?>", " ", html).split())


@pytest.fixture
def page(app: Flask, as_alice: FlaskClient) -> str:
    """The address of a check page: two sheets, hidden rows, a total, two columns of numbers, a long list of others."""
    book = Workbook()
    book.active.title = "Portada"
    sheet = book.create_sheet("Clientes & más")
    sheet.append(["Nº", "Nombre", "Fijo", "Móvil <1>", "Importe", "Alta"])
    for n in range(12):
        sheet.append([n, f"Ana {n}", 912345600 + n, "no" if n == 1 else f"6123456{n:02}", 1.5, "x"])
    sheet.append(["TOTAL", None, None, None, 18])
    sheet.row_dimensions[5].hidden = True
    memory = BytesIO()
    book.save(memory)
    document_id = upload(as_alice, memory.getvalue())
    read(app, document_id)
    return f"/documents/{document_id}"


def test_the_choice_is_one_sentence_whose_parts_can_be_changed(as_alice: FlaskClient, page: str) -> None:
    found = as_alice.get(page).text
    assert parts(found) == {
        "column": "The numbers are in the columns C · Fijo and D · Móvil &lt;1&gt;",
        "sheet": "in the sheet Clientes &amp; más",
        "header_row": "with headings in row 1",
        "hidden_rows": "with 1 hidden row too",
        "total_rows": "without 1 row of totals",
        "country": "without a country code they are from Spain",
        "source": "and they are looked up in Numbering plan (free, instant)",
    }
    assert not re.search(r"<details[^>]* open", found)
    changed = as_alice.get(f"{page}?column=3&header_row=0&country=PT&hidden_rows=leave&total_rows=take").text
    assert parts(changed)["column"] == "The numbers are in the column D" and "Portugal" in parts(changed)["country"]
    assert parts(changed)["header_row"] == "without headings"
    assert [parts(changed)[name] for name in ("hidden_rows", "total_rows")] == [
        "without 1 hidden row", "with 1 row of totals too",
    ]  # fmt: skip
    opened = as_alice.get(f"{page}?column=3&open_part=country", headers=FRAGMENT)
    assert re.findall(r'data-part="(\w+)" open', opened.text) == ["country"]
    assert "open_part" not in opened.headers["HX-Replace-Url"]


def test_what_comes_back_is_shown_with_examples_that_are_called_so(
    as_alice: FlaskClient, page: str, app: Flask
) -> None:
    found = as_alice.get(page).text
    shown = found[found.index('id="result"') :]
    headings = [text_of(one) for one in re.findall(r'<th scope="col" data-added[^>]*>(.*?)</th>', shown, re.S)]
    rows = re.findall(r"<tr>\s*<th scope=\"row\">(\d+)</th>(.*?)</tr>", shown, re.S)
    assert [row_no for row_no, _ in rows] == ["2", "3", "4", "5"]
    cells = re.findall(r"<td data-added[^>]*>(.*?)</td>", rows[1][1], re.S)
    values = dict(zip(headings, cells, strict=True))
    assert "data-example" in values["Fijo: line type"] and text_of(values["Fijo: line type"]) == "landline"
    assert "data-example" not in values["Móvil &lt;1&gt;: status"], "that the cell is no number is true"
    assert text_of(values["Móvil &lt;1&gt;: status"]) == "Invalid"
    assert "only an example" in shown and not jobs()
    as_alice.post(f"{page}/jobs")
    with as_alice.get(f"/jobs/{jobs()[0].id}/results.xlsx") as answer:
        book = load_workbook(BytesIO(answer.data))
    real = [cell.value for cell in book["Clientes & más"][1]][6:]
    assert [one.replace("&lt;", "<").replace("&gt;", ">") for one in headings] == real


def test_the_examples_of_a_recipe_are_those_of_its_own_tests(as_alice: FlaskClient, page: str, tmp_path: Path) -> None:
    without = recipe(tmp_path, "json", "https://api.example.com")
    tested = replace(without, tests=(Case("+34612345678", tmp_path, expect={"operator": "Lowi"}),))
    for made, example in ((without, "…"), (tested, "Lowi")):
        with registered(made):
            found = as_alice.get(f"{page}?column=3&source=json-test").text
        assert f"data-example>{example}</i>" in found


def test_cells_are_shown_as_a_spreadsheet_shows_them(app: Flask) -> None:
    cells = [1081.34, 1.50, 612345678, 0.1, True, {"d": "2024-09-30T00:00:00"}, {"d": "2024-09-30T08:05:00"}, None, "x"]
    shown = {}
    for language in ("es", "en"):
        with app.test_request_context(), force_locale(language):
            shown[language] = [shown_cell(cell) for cell in cells]
    assert shown["es"] == [
        "1081,34", "1,5", "612345678", "0,1", "VERDADERO", "30/9/2024", "30/9/2024 8:05", "", "x",
    ]  # fmt: skip
    formats = {
        '#,##0.00 "€"': (1081.34, "1.081,34 €"), "00000": (8002, "08002"), "0.0%": (0.789, "78,9%"),
        "dd/mm/yyyy": ({"d": "2024-09-09T00:00:00"}, "09/09/2024"), "00 00 00 00 00": (612345678, "06 12 34 56 78"),
        "#,##0.00;[Red](#,##0.00)": (-5.5, "(5,50)"), "d-mmm-yy": ({"d": "2024-05-09T00:00:00"}, "9-may-24"),
        "# ?/?": (1.5, "1,5"), "[<100]0;0.0": (1.5, "1,5"), "0.00E+00": (12345.678, "1,23E+04"), "@": ("x", "x"),
        "yyyy-mm-dd hh:mm": ({"d": "2024-09-09T18:05:00"}, "2024-09-09 18:05"), "0": (True, "VERDADERO"),
    }  # fmt: skip
    with app.test_request_context(), force_locale("es"):
        assert {code: shown_cell(cell, code) for code, (cell, _) in formats.items()} == {
            code: text for code, (_, text) in formats.items()
        }
    assert shown["en"][:4] == ["1081.34", "1.5", "612345678", "0.1"] and shown["en"][4:6] == ["TRUE", "9/30/2024"]
