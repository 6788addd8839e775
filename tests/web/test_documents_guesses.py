"""What the check page proposes, what it warns of, and that all of it can be changed."""

import re
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import Workbook
from sqlalchemy import select

from portal.database import db
from portal.documents import corrections
from portal.jobs.attempt.runner import Conditions, run
from portal.jobs.core.job_tables import CellAnswer
from portal.jobs.core.retry_backoff import Backoff
from tests.web.check_page import figures, jobs, read, selected, upload


def workbook(hidden: str = "", **sheets: list[list[Any]]) -> bytes:
    book = Workbook()
    book.remove(book.active)
    for name, lines in sheets.items():
        page = book.create_sheet(name)
        page.sheet_state = "hidden" if name == hidden else "visible"
        for line in lines:
            page.append(line)
    memory = BytesIO()
    book.save(memory)
    return memory.getvalue()


def page_of(app: Flask, client: FlaskClient, content: bytes, query: str = "") -> tuple[int, str]:
    document_id = upload(client, content)
    read(app, document_id)
    return document_id, client.get(f"/documents/{document_id}{query}").text


PORTUGUESE = [["Nome", "Telemóvel"], ["Rui", "912345678"], ["Inês", "931234567"], ["Rita", "961234567"]]


def test_it_warns_when_two_countries_fit(app: Flask, as_alice: FlaskClient) -> None:
    document_id, page = page_of(app, as_alice, workbook(H=PORTUGUESE))
    assert '<option value="PT" selected>' in page
    assert "valid in Portugal and also in Spain" in page
    spanish = as_alice.get(f"/documents/{document_id}?country=ES").text
    assert '<option value="ES" selected>' in spanish
    assert "and also in" not in spanish


def test_the_sheet_with_the_numbers_comes_first(app: Flask, as_alice: FlaskClient) -> None:
    cover = [["Informe", 2025], ["Tel.", "915555555"]]
    people = [["Nombre", "Tlf."], *[["Iker", f"6{n}234567"] for n in range(10, 30)]]
    _, page = page_of(app, as_alice, workbook(Portada=cover, Gente=people))
    assert '<option value="1" selected>Gente' in page.replace("\n        ", "")


BY_ROW = [
    ["Nombre", "País", "Teléfono"], ["Iker", "España", "912345678"], ["Rui", "Portugal", "912345678"],
    ["Zoé", "Francia", "612345678"], ["Eva", "", "612345679"], ["X", "Wakanda", "612345670"],
    ["Y", "Portugal", "+34612345671"],
]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "numbers"),
    [
        ({}, ["+34912345678", "+351912345678", "+33612345678", "+34612345679", None, "+34612345671"]),
        ({"country": "ES"}, [f"+34{n}" for n in (912345678, 912345678, 612345678, 612345679, 612345670, 612345671)]),
    ],
)  # fmt: skip
def test_each_row_may_name_its_country(
    app: Flask, as_alice: FlaskClient, fields: dict[str, str], numbers: list[str | None]
) -> None:
    """Portuguese 912345678 is not Madrid; a country that nobody knows gives no number."""
    document_id, page = page_of(app, as_alice, workbook(H=BY_ROW))
    assert "the country in the column “País”" in page
    data = {"sheet": "0", "header_row": "1", "column": "2", "source": "offline", **fields}
    job = as_alice.post(f"/documents/{document_id}/jobs", data=data).location.rsplit("/", 1)[1]
    cells = db.session.scalars(select(CellAnswer).where(CellAnswer.job_id == int(job)).order_by(CellAnswer.row_no))
    assert [cell.e164 for cell in cells] == numbers


def test_a_guess_refuses_no_file(app: Flask, as_alice: FlaskClient) -> None:
    """The last row has a telephone word; all others only look like numbers."""
    lines = [[f"6{n}234XXX"] for n in range(10, 20)] + [["Número total: 10"]]
    _, page = page_of(app, as_alice, workbook(H=lines))
    assert 'data-status="ready"' in page


def started(client: FlaskClient, document_id: int, **fields: str) -> str:
    form = {"sheet": "0", "header_row": "1", "column": "2", "country": "PT", "source": "offline", **fields}
    return client.post(f"/documents/{document_id}/jobs", data=form).location


PEOPLE = [["Nome", "Tel.", "Outro"], ["Rui", "612345678", "912345678"], ["Inês", "612345679", "931234567"]]


def test_the_last_choice_for_these_headings_is_used_again(
    app: Flask, as_alice: FlaskClient, as_bob: FlaskClient
) -> None:
    document_id, _ = page_of(app, as_alice, workbook(H=PEOPLE))
    started(as_alice, document_id)
    others = [PEOPLE[0], ["Rita", "612345670", "961234567"]]
    _, page = page_of(app, as_alice, workbook(Outra=others))
    assert "As you chose for the last file" in page
    assert '<option value="PT" selected>' in page
    assert 'id="column-2" name="column" value="2" checked' in page
    assert 'id="column-1" name="column" value="1" checked' not in page
    _, page = page_of(app, as_bob, workbook(H=others))
    assert "As you chose" not in page


def test_a_choice_of_other_headings_is_not_used(app: Flask, as_alice: FlaskClient) -> None:
    document_id, _ = page_of(app, as_alice, workbook(H=PEOPLE))
    started(as_alice, document_id)
    for head in (["Nome", "Tel.", "Conta"], ["Nome", "Outro", "Tel."]):
        _, page = page_of(app, as_alice, workbook(H=[head, *PEOPLE[1:]]))
        assert "As you chose" not in page


def test_a_choice_for_a_hidden_sheet_is_not_used_where_another_has_numbers(app: Flask, as_alice: FlaskClient) -> None:
    document_id, _ = page_of(app, as_alice, workbook(H=PEOPLE))
    started(as_alice, document_id)
    other = [["Empresa", "Móvil"], ["Sol", "622345678"], ["Mar", "622345679"], ["Luz", "622345670"]]
    _, page = page_of(app, as_alice, workbook(hidden="Antes", Clientes=other, Antes=PEOPLE))
    assert "As you chose" not in page and '<option value="0" selected>Clientes' in page
    _, page = page_of(app, as_alice, workbook(Clientes=other, Antes=PEOPLE))
    assert "As you chose" in page and '<option value="1" selected>Antes' in page
    _, page = page_of(app, as_alice, workbook(hidden="Antes", Portada=[["Informe"], ["de mayo"]], Antes=PEOPLE))
    assert "As you chose" in page, "where no other sheet has any"


def test_the_header_that_was_chosen_is_used_again(app: Flask, as_alice: FlaskClient) -> None:
    lines = [["Tel. móvil", "Fecha"], ["Nome", "Número"], ["Rui", "612345678"], ["Inês", "622345678"]]
    document_id, page = page_of(app, as_alice, workbook(H=lines))
    started(as_alice, document_id, header_row="2", column="1", country="ES")
    _, page = page_of(app, as_alice, workbook(H=[*lines, ["Rita", "633345678"]]))
    assert '<option value="2" selected>Row 2' in page


def test_a_download_uploaded_again_opens_with_its_own_column(app: Flask, as_alice: FlaskClient) -> None:
    """Its added answers are no numbers to look up, although one of them is the international number."""
    document_id, _ = page_of(app, as_alice, workbook(H=PEOPLE))
    job = started(as_alice, document_id)
    run(int(job.rsplit("/", 1)[1]), 0, Conditions("worker", 60, Backoff()))
    with as_alice.get(f"{job}/results.xlsx?columns=all") as answer:
        content = answer.get_data()
    _, page = page_of(app, as_alice, content)
    assert page.count('name="column"') > 5
    assert re.findall(r'name="column" value="(\d+)" checked', page) == ["2"]
    assert "As you chose for the last file" in page


def test_the_country_is_guessed_anew_for_another_column(app: Flask, as_alice: FlaskClient) -> None:
    spanish = [f"6{n}345678" for n in range(10, 30)]
    french = [f"06 12 34 56 {n}" for n in range(10, 30)]
    lines = "\n".join(";".join(row) for row in zip(spanish, french, strict=True))
    document_id = upload(as_alice, f"Teléfono;Contacto\n{lines}\n".encode(), "dos países.csv")
    read(app, document_id)
    found = as_alice.get(f"/documents/{document_id}?column=0").text
    assert selected(found, "country") == "ES" and 'name="guessed_country" value="ES"' in found
    asked = f"/documents/{document_id}?shown_sheet=0&column=1&country="
    other = as_alice.get(f"{asked}ES&guessed_country=ES").text
    assert selected(other, "country") == "FR" and figures(other)["to_look_up"] == 20
    assert selected(as_alice.get(f"{asked}PT&guessed_country=ES").text, "country") == "PT", "the person's choice stays"
    assert selected(as_alice.get(f"{asked}ES").text, "country") == "ES"


def test_the_countrys_column_is_that_of_what_is_typed_and_of_the_job(app: Flask, as_alice: FlaskClient) -> None:
    rows = ["España;612345678", "Portugal;912345678", "Portugal;no", "Narnia;no", "España;no", "España;x", "Portugal;x"]
    document_id = upload(as_alice, ("País;Teléfono\n" + "\n".join(rows) + "\n").encode(), "países.csv")
    read(app, document_id)
    form = {"sheet": "0", "header_row": "1", "column": "1", "country": "ES", "country_column": "0"}
    typed = {f"cell-{row}-1": "932345678" for row in (4, 5, 6)}
    answer = as_alice.post(f"/documents/{document_id}/corrections", data={**form, **typed})
    assert {one.row_no: one.corrected for one in corrections.made_in(document_id, 0)} == {
        4: "+351932345678", 6: "+34932345678",
    }  # fmt: skip
    assert answer.status_code == 422 and "We can read: +34932345678." in answer.text
    as_alice.post(f"/documents/{document_id}/jobs", data={**form, "source": "offline"})
    (job,) = jobs()
    assert job.country_column == 0
    assert "in each row, that in the column “A · País” <small>else Spain" in as_alice.get(f"/jobs/{job.id}").text
