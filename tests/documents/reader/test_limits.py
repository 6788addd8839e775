"""A file that is too large, hostile or not a spreadsheet is refused with its reason and does no harm."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from portal.documents.reader.limits import FileProblem, ReadLimits, Unreadable
from portal.documents.reader.parent import ReadingFailed, _run_child
from tests.documents import hostile
from tests.documents.sheets import FIXTURES, cells_of, read_file, sheet_of, xlsx

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def hostile_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return hostile.make_all(tmp_path_factory.mktemp("hostile"))


def refusal(
    path: Path, name: str | None = None, limits: ReadLimits | None = None
) -> tuple[FileProblem, dict[str, object]]:
    with pytest.raises(Unreadable) as raised:
        read_file(path, name, limits)
    return raised.value.problem, raised.value.facts


@pytest.mark.parametrize("name", hostile.NAMES)
def test_a_hostile_file_is_refused(hostile_files: dict[str, Path], name: str) -> None:
    path = hostile_files[name]
    ended = None
    try:
        read_file(path)
    except Unreadable as error:
        ended = error.problem.value
    assert ended in hostile.MAY_END_IN[name]
    assert [left.name for left in path.parent.iterdir() if "reading" in left.name] == []


def test_a_million_empty_rows_are_fine(hostile_files: dict[str, Path]) -> None:
    path = hostile_files["million_empty_rows.xlsx"]
    assert read_file(path)[0].rows == 3
    assert cells_of(path) == [[612345671], [612345672], [612345673]]


def test_only_the_child_process_takes_memory(tmp_path: Path, hostile_files: dict[str, Path]) -> None:
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from portal.documents.reader.parent import ReadLimits, Unreadable, read\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "before = peak()\n"
        "folder = Path(sys.argv[1])\n"
        "for path in map(Path, sys.argv[2:]):\n"
        "    try: read(path, path.name, lambda n: folder / f'{path.name}.{n}', ReadLimits())\n"
        "    except Unreadable: pass\n"
        "print(peak() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), *map(str, hostile_files.values())],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 50  # MiB


@pytest.mark.parametrize(("data_rows", "fits"), [(20, True), (21, False)])
def test_the_row_limit_is_exact(tmp_path: Path, data_rows: int, fits: bool) -> None:
    lines = [["Listado"], [], ["Nombre", "Teléfono"], *([["Ana", 612345678]] * data_rows)]
    path, limits = xlsx(tmp_path / "a.xlsx", lines), ReadLimits(max_rows=20)
    if fits:
        assert read_file(path, limits=limits)[0].data_rows == 20
    else:
        assert refusal(path, limits=limits) == (FileProblem.TOO_MANY_ROWS, {"rows": 21, "limit": 20})
        assert not sheet_of(path).exists()


def test_a_later_sheet_may_be_too_long(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a.xlsx", [["tel"], [612345678]], [["tel"], *([[612345678]] * 30)])
    first, second = read_file(path, limits=ReadLimits(max_rows=20))
    assert (first.usable, first.problem) == (True, None)
    assert (second.usable, second.problem) == (False, "too_many_rows")
    assert second.problem_facts == {"rows": 30, "limit": 20}
    assert sheet_of(path, 0).exists()
    assert not sheet_of(path, 1).exists()


def test_the_column_limit_is_exact(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a.xlsx", [["x"] * 256])
    assert read_file(xlsx(tmp_path / "b.xlsx", [["x"] * 256] * 2))[0].columns == 256
    assert refusal(path) == (FileProblem.NO_ROWS, {})  # a single row of words is a header without data
    wide = xlsx(tmp_path / "c.xlsx", [["x"] * 257] * 2)
    assert refusal(wide) == (FileProblem.TOO_MANY_COLUMNS, {"columns": 257, "limit": 256})
    far = hostile.workbook(tmp_path / "d.xlsx", hostile.rows_of('<row r="1"><c r="XFD1"><v>1</v></c></row>'))
    assert refusal(far) == (FileProblem.TOO_MANY_COLUMNS, {"columns": 16384, "limit": 256})


def test_it_limits_sheets_and_content(tmp_path: Path) -> None:
    many = xlsx(tmp_path / "a.xlsx", *([[["tel"], [612345678]]] * 4))
    assert refusal(many, limits=ReadLimits(max_sheets=3)) == (FileProblem.TOO_MANY_SHEETS, {"sheets": 4, "limit": 3})
    assert len(read_file(many, limits=ReadLimits(max_sheets=4))) == 4
    small = ReadLimits(max_rows=1, base_unpacked_bytes=0)
    assert refusal(many, limits=small) == (FileProblem.TOO_LARGE, {"limit": 0})
    text = tmp_path / "a.csv"
    text.write_text("x" * 9000 + "\n612345678\n", encoding="utf-8")
    assert refusal(text, limits=ReadLimits(max_rows=5, base_output_bytes=0))[0] is FileProblem.TOO_LARGE


@pytest.mark.parametrize("lines", [[], [["Teléfono", "Nombre"]], [[" "], [None]]])
def test_a_workbook_without_data_is_refused(tmp_path: Path, lines: list[list[str | None]]) -> None:
    assert refusal(xlsx(tmp_path / "a.xlsx", lines)) == (FileProblem.NO_ROWS, {})


@pytest.mark.parametrize("name", ["photo.png", "clientes", "clientes.pdf", ".xlsx.exe", "", "a.xlsx\n.sh"])
def test_other_extensions_are_refused(tmp_path: Path, name: str) -> None:
    assert refusal(xlsx(tmp_path / "a.xlsx", [["tel"], [612345678]]), name or "-")[0] is FileProblem.WRONG_TYPE


def test_encrypted_files_are_refused(tmp_path: Path) -> None:
    assert refusal(copied(tmp_path, "con_clave_xlsx.bin"), "a.xlsx") == (FileProblem.ENCRYPTED, {})
    old = copied(tmp_path, "clientes.xls")
    raw = bytearray(old.read_bytes())
    after_bof = raw.index(b"\x09\x08\x10\x00\x00\x06\x05\x00") + 20
    length = int.from_bytes(raw[after_bof + 2 : after_bof + 4], "little")
    raw[after_bof : after_bof + 2] = b"\x2f\x00"  # the record FILEPASS, in place of the first one
    raw[after_bof + 4 : after_bof + 4 + length] = (b"\x01\x00" + bytes(length))[:length]
    old.write_bytes(raw)
    assert refusal(old)[0] is FileProblem.ENCRYPTED
    manifest = b'<manifest:manifest><manifest:encryption-data manifest:checksum="x"/></manifest:manifest>'
    entries = {"content.xml": hostile.packed(b"x"), "META-INF/manifest.xml": hostile.packed(manifest)}
    assert refusal(hostile.write_zip(tmp_path / "a.ods", entries)) == (FileProblem.ENCRYPTED, {})


def copied(folder: Path, name: str) -> Path:
    return Path(shutil.copy(FIXTURES / name, folder))


def test_a_word_file_named_xls_is_refused(tmp_path: Path) -> None:
    assert refusal(copied(tmp_path, "carta_doc.bin"), "carta.xls")[0] is FileProblem.WRONG_TYPE


def test_a_half_readable_workbook_is_refused(tmp_path: Path) -> None:
    assert refusal(copied(tmp_path, "celdas_cortas.xlsb")) == (FileProblem.DAMAGED, {})


def test_slow_reading_is_stopped(hostile_files: dict[str, Path]) -> None:
    path = hostile_files["million_empty_rows.xlsx"]
    assert refusal(path, limits=ReadLimits(wall_seconds=0)) == (FileProblem.UNSAFE, {})


def test_a_failing_machine_is_not_the_files_fault(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a.xlsx", [["tel"], [612345678]])
    with pytest.raises(ReadingFailed):
        read_file(path, limits=ReadLimits(base_memory_bytes=1, max_rows=1))  # not even Python starts in this


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_the_child_dies_with_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "pipe.csv"
    os.mkfifo(path)  # opening it waits for a writer, so the child hangs here
    code = (
        "import sys; from pathlib import Path; import portal.documents.reader.parent as r\n"
        "r._run_child('read', Path(sys.argv[1]), 'a.csv', Path(sys.argv[2]), r.ReadLimits())"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(path), str(tmp_path)], cwd=ROOT)
    child = None
    try:
        child = _first_child(psutil.Process(parent.pid))
        _wait_until_confined(child)
        parent.send_signal(signal.SIGKILL)
        parent.wait(timeout=10)
        child.wait(timeout=10)
        assert not child.is_running()
    finally:
        parent.kill()
        parent.wait()
        if child is not None and child.is_running():
            child.kill()


def _first_child(process: psutil.Process, before: Collection[psutil.Process] = ()) -> psutil.Process:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if children := [child for child in process.children() if child not in before]:
            return children[0]
        time.sleep(0.01)
    raise AssertionError("no reading process was started")


def _wait_until_confined(process: psutil.Process) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.rlimit(psutil.RLIMIT_AS)[0] == ReadLimits().memory_bytes:
            return
        time.sleep(0.01)
    raise AssertionError("the reading process took nothing away from itself")


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stopped_child_may_be_tried_again(tmp_path: Path, sent: signal.Signals) -> None:
    with _reading_of_a_pipe(tmp_path) as (reading, child):
        child.send_signal(sent)
        with pytest.raises(ReadingFailed):
            reading.result(timeout=20)


def test_a_killed_child_means_unsafe(tmp_path: Path) -> None:
    with _reading_of_a_pipe(tmp_path) as (reading, child):
        child.send_signal(signal.SIGKILL)
        with pytest.raises(Unreadable):
            reading.result(timeout=20)


@contextmanager
def _reading_of_a_pipe(folder: Path) -> Iterator[tuple[Future[object], psutil.Process]]:
    """Start reading a pipe, which hangs until its process is ended."""
    pipe, before = folder / "pipe.csv", set(psutil.Process().children())
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(_run_child, "read", pipe, "a.csv", folder, ReadLimits())
        child = _first_child(psutil.Process(), before)
        try:
            _wait_until_confined(child)
            yield reading, child
        finally:
            if child.is_running():
                child.kill()
