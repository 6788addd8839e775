"""What the tests of the check page share: a workbook that is uploaded and read, and what its page says."""

import re
from io import BytesIO

from flask import Flask
from flask.testing import FlaskClient
from openpyxl import Workbook

from portal.clock import utcnow
from portal.database import db
from portal.documents import intake
from portal.documents.models import Document
from portal.documents.reader.limits import ReadLimits
from portal.jobs.models import ScrapingJob

FRAGMENT = {"HX-Request": "true"}


def workbook() -> bytes:
    """A title above the headings, a hidden sheet, a second sheet; 3 to look up, 1 twice, 2 bad, 1 blank."""
    book = Workbook()
    page = book.active
    page.title = "Clientes"
    cells = ["612345678", "+34 612 345 679", "612345678", "555", "", "no tiene", "912345678"]
    for row in [
        ["Listado de clientes"],
        [],
        ["Nombre", "Teléfono"],
        *([f"n{n}", cell] for n, cell in enumerate(cells)),
    ]:
        page.append(row)
    hidden = book.create_sheet("Oculta")
    hidden.sheet_state = "hidden"
    for row in [["tel"], ["612345670"]]:
        hidden.append(row)
    other = book.create_sheet("Proveedores")
    for row in [["Empresa", "Fax", "Phone"], ["x", "91", "915555555"], ["y", "92", "915555556"]]:
        other.append(row)
    book.create_sheet("Vacía")
    memory = BytesIO()
    book.save(memory)
    return memory.getvalue()


def upload(client: FlaskClient, content: bytes | None = None, name: str = "clientes.xlsx") -> int:
    answer = client.post("/documents", data={"file": (BytesIO(content or workbook()), name)})
    return int(answer.location.rsplit("/", 1)[1])


def read(app: Flask, document_id: int) -> None:
    intake.read_document(document_id, app.extensions["storage"], ReadLimits(), utcnow())


def stored(app: Flask, document_id: int) -> bytes:
    key = db.session.get_one(Document, document_id).storage_key
    db.session.rollback()
    return app.extensions["storage"].path(key).read_bytes()


def figures(page: str) -> dict[str, int]:
    found = re.findall(r'data-figure="(\w+)"><b>([\d,]+)</b>', page)
    return {name: int(number.replace(",", "")) for name, number in found}


def ticked(page: str) -> list[str]:
    """The positions of the ticked columns."""
    return re.findall(r'<input type="checkbox" id="column-\d+" name="column" value="(\d+)" checked>', page)


def selected(page: str, name: str) -> str:
    """The chosen option of a select, or the first ticked column."""
    if name == "column":
        return ticked(page)[0]
    select = re.search(rf'<select id="{name}".*?</select>', page, re.S)
    assert select
    return re.findall(r'<option value="([^"]*)" selected>', select[0])[0]


def form_of(page: str, address: str) -> dict[str, str | list[str]]:
    """What a browser without JavaScript would send: hidden fields, ticks and selects."""
    form = re.search(rf'<form[^>]*action="{address}".*?</form>', page, re.S)
    assert form
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form[0]))
    selects = {name: selected(page, name) for name in re.findall(r'<select id="(\w+)"', form[0])}
    return {**hidden, **selects, "column": ticked(form[0])}


def jobs() -> list[ScrapingJob]:
    db.session.rollback()
    return list(db.session.scalars(db.select(ScrapingJob).order_by(ScrapingJob.id)))
