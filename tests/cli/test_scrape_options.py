"""The options of `scrape`: column, sheet, country, source and files, and its answer to values that do not exist."""

from pathlib import Path
from zipfile import ZipFile

import pytest
from flask.testing import FlaskCliRunner
from openpyxl import Workbook, load_workbook
from xlsxwriter import Workbook as XlsxWriterWorkbook

from portal.accounts import User
from portal.database import db
from portal.documents.models import Document
from portal.jobs.models import ScrapingJob
from tests.cli.scraping import records, scrape, spreadsheet
from tests.support.cast import mobile


@pytest.fixture(autouse=True)
def in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")


@pytest.mark.parametrize("named", ["Móvil", "movil", "B", "b"])
def test_a_column_by_heading_or_letter(runner: FlaskCliRunner, ada: User, tmp_path: Path, named: str) -> None:
    workbook = Workbook()
    for row in [["Fijo", "Móvil"], ["912345678", "612345678"], ["912345679", "612345679"]]:
        workbook.worksheets[0].append(row)
    workbook.save(tmp_path / "dos.xlsx")

    done = scrape(runner, tmp_path / "dos.xlsx", "-o", tmp_path / "out.xlsx", "--column", named)

    assert done.exit_code == 0, done.output
    assert {row["Line type"] for row in records(tmp_path / "out.xlsx")} == {"mobile"}


def test_sheet_and_country(runner: FlaskCliRunner, ada: User, tmp_path: Path) -> None:
    workbook = Workbook()
    workbook.worksheets[0].append(["Nota"])
    workbook.worksheets[0].append(["nada"])
    other = workbook.create_sheet("Reino Unido")
    for row in [["Phone"], ["020 7946 0018"]]:
        other.append(row)
    workbook.save(tmp_path / "dos.xlsx")

    words = ("--sheet", "reino unido", "--country", "gb")
    done = scrape(runner, tmp_path / "dos.xlsx", "-o", tmp_path / "out.xlsx", *words, "--columns", "e164")

    assert done.exit_code == 0, done.output
    assert load_workbook(tmp_path / "out.xlsx").sheetnames == ["Sheet", "Reino Unido"]
    assert records(tmp_path / "out.xlsx", "Reino Unido")[0]["International number"] == "+442079460018"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--column", "Correo"), "The column Correo does not exist. Available: Nombre, Teléfono"),
        (("--columns", "status,colour"), "There is no column “colour”. Available: row, status, line_type,"),
        (("--columns", "status,status"), "The column “status” is listed twice."),
        (("--columns", "status="), "Write a name for this column"),
        (("--column", "Z"), "The column Z does not exist."),
        (("--sheet", "Hoja9"), "The sheet Hoja9 does not exist. Available: Clientes"),
        (("--country", "XX"), "The country XX does not exist."),
        (("--source", "nobody"), "The source nobody does not exist. Available: offline"),
    ],
)
def test_an_unknown_name_lists_the_known_ones(
    runner: FlaskCliRunner, ada: User, tmp_path: Path, words: tuple[str, str], sentence: str
) -> None:
    file = spreadsheet(tmp_path / "clientes.xlsx", [mobile(1)])

    done = scrape(runner, file, "-o", tmp_path / "out.xlsx", *words)

    assert done.exit_code == 1
    assert sentence in done.output
    assert not (tmp_path / "out.xlsx").exists()
    assert not db.session.scalars(db.select(ScrapingJob)).all()


def test_a_file_that_cannot_be_read_says_why(runner: FlaskCliRunner, ada: User, tmp_path: Path) -> None:
    (tmp_path / "foto.xlsx").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))

    done = scrape(runner, tmp_path / "foto.xlsx", "-o", tmp_path / "out.xlsx")

    assert done.exit_code == 1
    assert "This file is not a spreadsheet" in done.output
    assert "Traceback" not in done.output


def test_a_bad_output_is_refused_first(runner: FlaskCliRunner, ada: User, tmp_path: Path) -> None:
    file = spreadsheet(tmp_path / "clientes.xlsx", [mobile(1)])
    content = file.read_bytes()

    for out, sentence in (
        (tmp_path / "out.pdf", "must end in .xlsx or .csv"),
        (file, "would overwrite the input file"),
        (tmp_path / "nowhere" / "out.xlsx", "nowhere does not exist."),
    ):
        done = scrape(runner, file, "-o", out)
        assert done.exit_code == 2 and sentence in " ".join(done.output.split())
    assert file.read_bytes() == content
    assert not db.session.scalars(db.select(Document)).all()


def test_macros_need_an_output_that_can_hold_them(runner: FlaskCliRunner, ada: User, tmp_path: Path) -> None:
    (tmp_path / "vba.bin").write_bytes(b"macro")
    with XlsxWriterWorkbook(path := tmp_path / "macros.xlsm") as workbook:
        workbook.add_vba_project(str(tmp_path / "vba.bin"))
        workbook.add_worksheet().write_column(0, 0, ["Phone", "612345678"])
    for ending, parts in (("xlsm", 1), ("xlsx", 0)):
        done = scrape(runner, path, "-o", out := tmp_path / f"out.{ending}")
        assert done.exit_code == 0, done.output
        with ZipFile(out) as package:
            assert package.namelist().count("xl/vbaProject.bin") == parts
    assert "are in a new one" in done.output
    Workbook().save(tmp_path / "plain.xlsx")
    plain = scrape(runner, tmp_path / "plain.xlsx", "-o", tmp_path / "out.xlsm")
    assert plain.exit_code == 2 and "must end in" in plain.output


@pytest.mark.parametrize("ending", ["ods", "tsv", "txt"])
def test_the_output_can_have_the_ending_of_the_file(
    runner: FlaskCliRunner, ada: User, tmp_path: Path, ending: str
) -> None:
    file = tmp_path / f"clientes.{ending}"
    ods = Path(__file__).parents[1] / "fixtures" / "clientes.ods"
    file.write_bytes(ods.read_bytes() if ending == "ods" else b"Tel\tNombre\n612345678\tAna\n")
    done = scrape(runner, file, "-o", out := tmp_path / f"out.{ending}")
    assert done.exit_code == 0, done.output
    assert out.read_bytes()[:4] == file.read_bytes()[:4]
    refused = scrape(runner, file, "-o", tmp_path / "out.pdf")
    assert f"must end in .xlsx, .csv or .{ending}" in " ".join(refused.output.split())
    assert ".ods, .xlsm" in " ".join(scrape(runner, "--help").output.split())
