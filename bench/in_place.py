"""The person's workbook with answers: against writing a new one, against copying the package, and its memory."""

import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

from bench.files import peak
from bench.measure import SHORT, Goal, best_of, seconds
from portal.documents.check import rows as rows_of
from portal.jobs.export.added import AddedRow, Tone
from portal.jobs.export.in_place.ods.workbook import OpenOds
from portal.jobs.export.in_place.package import Package, copied
from portal.jobs.export.in_place.workbook import OpenWorkbook, Place
from portal.jobs.export.lines import ExportPlan, Line, RowFilter
from portal.jobs.export.xlsx import write_lines

ROWS = 20_000 if SHORT else 100_000
FEW, MANY = 5_000, 100_000 if SHORT else 1_000_000
ROUNDS, MOST_ROUNDS = 2, 10  # more than the first ones only where a goal is missed after them
NEW, COPY, ODS_COPY = 8, 2, 3.5
OWN = 12
HEADINGS = [
    "Estado",
    "Tipo",
    "País",
    "Provincia",
    "Operador",
    "Internacional",
    "Nacional",
    "Motivo",
    "Consultado",
    "Repe",
]
AT = datetime(2026, 1, 31, 18, 5)  # noqa: DTZ001 - Excel's dates have no zone
SHEET = "xl/worksheets/sheet1.xml"


def measure() -> Iterator[Goal]:
    """Measure the time with ten columns added to twelve, then the memory in processes of its own."""
    with tempfile.TemporaryDirectory(prefix="masterfilter-bench-") as folder:
        yield from _time(Path(folder))
    few, many = _memory(FEW), _memory(MANY)
    detail = f"{few / 1024:.0f} MB with {FEW:,} rows, {many / 1024:.0f} MB with {MANY:,}"
    yield Goal("memory of a large workbook in place against a small one", many / few, detail, ceiling=1.1)


def _time(folder: Path) -> Iterator[Goal]:
    path = folder / "clientes.xlsx"
    write_workbook(path, ROWS)
    sheet = _sheet_file(folder / "filas.jsonl", ROWS)

    def timed(run: Callable[[], object]) -> Callable[[], float]:
        return lambda: seconds(run)

    def enough(best: dict[str, float]) -> bool:
        took = best["in_place"]
        return best["anew"] / took >= NEW and took / best["zipped"] <= COPY

    best = best_of(
        ROUNDS,
        most=MOST_ROUNDS,
        enough=enough,
        in_place=timed(lambda: _in_place(path, ROWS)),
        anew=timed(lambda: _anew(sheet, folder / "nuevo.xlsx")),
        copied=timed(lambda: _copied(path)),
        zipped=timed(lambda: _zipped(path, folder / "otro.xlsx")),
    )
    took = best["in_place"]
    each = f"{took:.2f} s for {ROWS:,} rows of {OWN} + {len(HEADINGS)} columns"
    yield Goal("a workbook in place against a new one", best["anew"] / took, f"{each}, {best['anew']:.2f} s", floor=NEW)
    isal = (
        f"with isal, whose copy takes {best['copied']:.2f} s and has no row to look at: {took / best['copied']:.0f} x"
    )
    detail = f"{best['zipped']:.2f} s to inflate and deflate the package with zlib; {isal}"
    yield Goal("a workbook in place against copying its package", took / best["zipped"], detail, ceiling=COPY)
    yield from _time_of_ods(folder)


def _time_of_ods(folder: Path) -> Iterator[Goal]:
    write_ods(path := folder / "clientes.ods", ROWS)
    place = Place(0, "Clientes", OWN, 1, len(HEADINGS))

    def in_place() -> None:
        with closing(OpenOds(path, place, folder / "kept")) as workbook:  # as after reading, when it is looked through
            sum(map(len, workbook.copy(answers(ROWS))))

    OpenOds(path, place, folder / "kept").close()
    best = best_of(
        ROUNDS,
        most=MOST_ROUNDS,
        enough=lambda best: best["in_place"] / best["zipped"] <= ODS_COPY,
        in_place=lambda: seconds(in_place),
        zipped=lambda: seconds(lambda: _zipped(path, folder / "otro.ods")),
    )
    detail = f"{best['in_place']:.2f} s, {best['zipped']:.2f} s to inflate and deflate the package with zlib"
    yield Goal(
        "an ods in place against copying its package", best["in_place"] / best["zipped"], detail, ceiling=ODS_COPY
    )


def write_ods(path: Path, rows: int) -> None:
    """Write the same list as LibreOffice would."""
    spaces = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    cell, end = "<table:table-cell", "</table:table-cell>"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as new, new.open("content.xml", "w") as out:
        out.write(f"<office:document-content{spaces}><office:body><office:spreadsheet>".encode())
        out.write(b'<table:table table:name="Clientes"><table:table-column table:number-columns-repeated="12"/>')
        for row in _own_rows(rows):
            cells = (f'{cell} office:value-type="string"><text:p>{one}</text:p>{end}' for one in row)
            out.write(f"<table:table-row>{''.join(cells)}</table:table-row>".encode())
        out.write(b"</table:table></office:spreadsheet></office:body></office:document-content>")


def write_workbook(path: Path, rows: int) -> None:
    """Write a list as Excel would, row by row: XlsxWriter would take minutes for a million."""
    import xlsxwriter

    with xlsxwriter.Workbook(path) as workbook:
        workbook.add_worksheet("Clientes").write(0, 0, "x")
    plain = path.with_suffix(".plain")
    path.rename(plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        for name in old.namelist():
            if name != SHEET:
                new.writestr(name, old.read(name))
        with new.open(SHEET, "w", force_zip64=True) as out:
            for piece in _sheet_xml(rows):
                out.write(piece.encode())


def _sheet_xml(rows: int) -> Iterator[str]:
    yield '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    letters = "ABCDEFGHIJKL"
    for n, row in enumerate(_own_rows(rows), start=1):
        cells = (
            f'<c r="{letter}{n}"><v>{value}</v></c>'
            if isinstance(value, int)
            else f'<c r="{letter}{n}" t="inlineStr"><is><t>{value}</t></is></c>'
            for letter, value in zip(letters, row, strict=True)
        )
        yield f'<row r="{n}" spans="1:12">{"".join(cells)}</row>'
    yield "</sheetData></worksheet>"


def _own_rows(rows: int) -> Iterator[list[str | int]]:
    yield [f"Columna {n}" for n in range(OWN)]
    for n in range(1, rows):
        yield [f"Cliente {n}", f"6{n:08d}", f"Ciudad {n % 500}", n, *(f"valor {n % 97} {i}" for i in range(8))]


def answers(rows: int) -> Iterator[AddedRow]:
    """Answers as a job gives them: words that repeat, numbers that do not."""
    yield AddedRow(1, HEADINGS, Tone.HEADING)
    for n in range(2, rows + 1):
        numbers = (f"+346{n:08d}", f"6{n:08d}")
        yield AddedRow(n, ["Con datos", "móvil", "España", "Madrid", "Movistar", *numbers, None, AT, n], Tone.FOUND)


def _in_place(path: Path, rows: int) -> int:
    place = Place(0, "Clientes", OWN, 1, len(HEADINGS))
    with closing(OpenWorkbook(path, place)) as workbook:
        return sum(map(len, workbook.copy(answers(rows))))


def _anew(sheet: Path, out: Path) -> None:
    plan = ExportPlan(0, sheet, "Clientes", OWN, 1, 1, (), RowFilter.ALL, None, "UTC", "")
    moment = AT.isoformat(" ")
    found = zip(rows_of(sheet), answers(ROWS), strict=True)
    lines = (
        Line(cells, [moment if cell is AT else cell for cell in row.cells], row.row_no > 1)  # type: ignore[misc]
        for (_, cells), row in found
    )
    with out.open("wb") as file:
        write_lines(plan, lines, file)


def _copied(path: Path) -> int:
    with closing(Package(path)) as package:
        changed = {name: lambda name=name: package.pieces(name) for name in [SHEET]}
        return sum(map(len, copied(package, changed)))


def _zipped(path: Path, out: Path) -> None:
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            with old.open(name) as source, new.open(name, "w", force_zip64=True) as target:
                while piece := source.read(1 << 18):
                    target.write(piece)


def _sheet_file(path: Path, rows: int) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in _own_rows(rows)), encoding="utf-8")
    return path


def _memory(rows: int) -> int:
    """Return the peak memory in kB of a process that writes a workbook of `rows` rows in place."""
    with tempfile.TemporaryDirectory(prefix="masterfilter-bench-") as folder:
        path = Path(folder) / "clientes.xlsx"
        write_workbook(path, rows)
        program = [sys.executable, "-m", "bench.in_place", str(path), str(rows)]
        return int(subprocess.run(program, capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    _in_place(Path(sys.argv[1]), int(sys.argv[2]))
    print(peak())
