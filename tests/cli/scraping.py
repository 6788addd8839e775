"""Shared by the tests of `scrape`: write its input, run it, read its output."""

from pathlib import Path
from typing import Any

from click.testing import Result
from flask.testing import FlaskCliRunner
from openpyxl import Workbook, load_workbook

HEADER = ["Nombre", "Teléfono"]


def spreadsheet(path: Path, numbers: list[str], title: str = "Clientes") -> Path:
    workbook = Workbook()
    workbook.worksheets[0].title = title
    for row in [HEADER, *([f"Cliente {n}", number] for n, number in enumerate(numbers))]:
        workbook.worksheets[0].append(row)
    workbook.save(path)
    return path


def scrape(runner: FlaskCliRunner, *words: Any) -> Result:
    return runner.invoke(args=["scrape", *map(str, words)])


def records(path: Path, sheet: str | None = None) -> list[dict[str, Any]]:
    workbook = load_workbook(path)
    heads, *rows = workbook[sheet or workbook.sheetnames[0]].iter_rows(values_only=True)
    return [dict(zip(heads, row, strict=True)) for row in rows]
