"""LibreOffice, which the set-up of the tests installs: a test that needs it fails in CI where it is missing."""

import csv
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest


def soffice() -> str:
    """The program's path. Skips the test where it is missing; in CI that is a failure."""
    return _program("soffice")


def pdftotext() -> str:
    """The path of the program that reads the text of printed pages. Skips as `soffice` does."""
    return _program("pdftotext")


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is missing: make test installs it as root")
    return path


# Comma-separated, quoted, UTF-8, every cell as it is shown, of every sheet.
AS_SHOWN = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,true,false,false,-1"
AT_ONCE = 12  # workbooks in one start
Shown = dict[str, list[list[str]]]
"""The cells of each sheet by its name, as a person sees them."""


def converted(path: Path, ending: str) -> Path:
    """The workbook saved by LibreOffice in another format, beside it."""
    convert([path], ending, path.parent)
    return path.with_suffix(f".{ending}")


def shown_by_libreoffice(paths: Iterable[Path]) -> list[Shown]:
    """What LibreOffice shows of each workbook. One start for all, as it takes seconds."""
    listed = list(paths)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        links = [folder / "in" / f"{n:04d}x{path.suffix}" for n, path in enumerate(listed)]
        for link, path in zip(links, listed, strict=True):
            link.symlink_to(path)
        convert(links, AS_SHOWN, folder / "out")
        return [{file.stem.split("-", 1)[1]: _rows(file) for file in sorted((folder / "out").glob(f"{link.stem}-*"))}
                for link in links]  # fmt: skip


def convert(paths: Sequence[Path], to: str, folder: Path) -> None:
    """Save workbooks in another format to a folder. One start for several, as it takes seconds; of many at once it
    leaves some out and says nothing."""
    for first in range(0, len(paths), AT_ONCE):
        with tempfile.TemporaryDirectory() as profile:
            subprocess.run(
                [soffice(), f"-env:UserInstallation=file://{profile}", "--headless", "--convert-to", to,
                 "--outdir", str(folder), *map(str, paths[first : first + AT_ONCE])],
                check=True, capture_output=True, timeout=300,
            )  # fmt: skip


def _rows(file: Path) -> list[list[str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.reader(text))
