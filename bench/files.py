"""Files: reading an upload in the confined child against openpyxl, and the memory of an export as it grows."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from flask import current_app
from flask_babel import force_locale
from openpyxl import load_workbook
from xlsxwriter import Workbook

from bench.measure import SHORT, Goal, best_of
from bench.temporary_portal import make_job, numbers, portal
from portal.database import db
from portal.documents.reader.limits import ReadLimits
from portal.documents.reader.parent import read
from portal.jobs.attempt.runner import Conditions, run
from portal.jobs.core.retry_backoff import Backoff
from portal.jobs.export import FileFormat, write_export
from portal.jobs.models import ScrapingJob

READ_ROWS = 20_000 if SHORT else 100_000
FEW, MANY = 5_000, 30_000 if SHORT else 100_000
ROUNDS = 2 if SHORT else 3


def measure_reading() -> Goal:
    """Measure reading in the child process, including its start, its limits and writing the rows."""
    with tempfile.TemporaryDirectory(prefix="masterfilter-bench-") as folder:
        path = Path(folder) / "clientes.xlsx"
        _write_workbook(path)

        def guarded() -> float:
            began = time.perf_counter()
            sheets = read(path, path.name, lambda n: Path(folder) / f"{n}.jsonl", ReadLimits(max_rows=READ_ROWS))
            assert sheets[0].data_rows == READ_ROWS
            return time.perf_counter() - began

        def openpyxl() -> float:
            began = time.perf_counter()
            workbook = load_workbook(path, read_only=True)
            rows = [list(row) for row in workbook.worksheets[0].iter_rows(values_only=True)]
            workbook.close()
            assert len(rows) == READ_ROWS + 1
            return time.perf_counter() - began

        best = best_of(ROUNDS, guarded=guarded, openpyxl=openpyxl)
    detail = f"{best['guarded']:.2f} s against {best['openpyxl']:.2f} s for {READ_ROWS:,} rows"
    floor = 1.8 if SHORT else 3.0  # with fewer rows the start of the child process weighs more
    return Goal("guarded reading against openpyxl", best["openpyxl"] / best["guarded"], detail, floor=floor)


def _write_workbook(path: Path) -> None:
    workbook = Workbook(path)
    sheet = workbook.add_worksheet("Clientes")
    sheet.write_row(0, 0, ["Cliente", "Teléfono", "Ciudad", "Saldo"])
    for n in range(1, READ_ROWS + 1):
        sheet.write_row(n, 0, [f"Cliente {n}", f"6{n:08d}", f"Ciudad {n % 500}", n / 4])
    workbook.close()


def measure_export() -> list[Goal]:
    """Measure each export in its own process, because a process does not give memory back."""
    goals = []
    for kind in (FileFormat.XLSX, FileFormat.CSV):  # an ods is only written into the person's own, see `in_place`
        few, _ = _memory(FEW, kind)
        many, took = _memory(MANY, kind)
        detail = f"{few / 1024:.0f} MB with {FEW:,} rows, {many / 1024:.0f} MB with {MANY:,} ({took:.1f} s)"
        goals.append(Goal(f"memory of a large {kind} export against a small one", many / few, detail, ceiling=1.05))
    return goals


def _memory(rows: int, kind: FileFormat) -> tuple[int, float]:
    """Return the peak memory in kB of a process that exports a job of `rows` rows, and the seconds it took."""
    program = [sys.executable, "-m", "bench.files", str(rows), kind.value]
    done = subprocess.run(program, capture_output=True, text=True, check=True, env={**os.environ})
    peak, took = done.stdout.split()
    return int(peak), float(took)


def _export_here(rows: int, kind: FileFormat) -> None:
    with portal(rows) as app:
        read_end, write_end = os.pipe()
        child = os.fork()  # the job runs in another process: only the export's memory is measured
        if child == 0:
            os.close(read_end)
            job = make_job(app, numbers(rows))
            run(job.id, job.attempt, Conditions(worker="bench", lease_seconds=60, backoff=Backoff()))
            os.write(write_end, str(job.id).encode())
            os._exit(0)
        os.close(write_end)
        job_id = int(os.read(read_end, 20))
        os.waitpid(child, 0)
        _weigh(app.config["PORTAL_DATA_DIR"], job_id, kind)


def _weigh(folder: Path, job_id: int, kind: FileFormat) -> None:
    began = time.perf_counter()
    with force_locale("es"):
        job = db.session.get_one(ScrapingJob, job_id)
        write_export(job, current_app.extensions["storage"], folder / f"out.{kind}")
    took = time.perf_counter() - began
    print(peak(), took)


def peak() -> int:
    """Return this process's peak memory in kB. Not `ru_maxrss`, which on Linux begins with the parent's."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise RuntimeError("no VmHWM: this is measured on Linux only")


if __name__ == "__main__":
    _export_here(int(sys.argv[1]), FileFormat(sys.argv[2]))
