"""Logging never raises, and its files stay small, whichever processes write to them."""

import json
import logging
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal import logs
from portal.config import ROOT


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    for handler in list(root.handlers):
        if handler not in before:
            root.removeHandler(handler)
            handler.close()
    for handler in before:
        if handler not in root.handlers:
            root.addHandler(handler)
    root.setLevel(level)


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file of this process may grow: works for any user, and a write fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_it_never_raises_on_a_full_disk(tmp_path: Path, full_disk: None) -> None:
    logs.set_up(tmp_path, "INFO")
    with pytest.raises(OSError):
        (tmp_path / "another").write_text("x")  # the disk is really full
    for n in range(4):  # the standard handler raises from its second line on
        logging.getLogger("portal").warning("line %s", n)


def test_a_thread_that_logs_on_a_full_disk_goes_on(tmp_path: Path, full_disk: None) -> None:
    logs.set_up(tmp_path, "INFO")
    rounds: list[int] = []

    def beat() -> None:
        for n in range(3):
            logging.getLogger("portal").warning("heartbeat missed")
            rounds.append(n)

    thread = threading.Thread(target=beat)
    thread.start()
    thread.join()
    assert rounds == [0, 1, 2]


def test_lines_are_written_again_once_there_is_room(tmp_path: Path) -> None:
    logs.set_up(tmp_path, "INFO")
    log = logging.getLogger("portal")
    log.warning("before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (tmp_path / "logger.log").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, hard))  # the disk is full in the middle of a line
    try:
        log.warning("during")
        log.warning("during")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    log.warning("after")
    log.warning("after")
    lines = (tmp_path / "logger.log").read_text().splitlines()
    assert len([line for line in lines if line.endswith("}") and json.loads(line)["event"] == "after"]) == 2


WRITER = """
import logging, sys
from pathlib import Path
from portal import logs
file = logs.SharedFile(Path(sys.argv[1]), most_bytes=10_000)
log = logging.Logger("writer")
log.addHandler(file)
for n in range(500):
    log.warning("%s %s %s", sys.argv[2], n, "x" * 40)
"""


def test_processes_share_one_file_of_bounded_size(tmp_path: Path) -> None:
    path = tmp_path / "logger.log"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(n)], cwd=ROOT, env=os.environ) for n in range(3)
    ]
    assert [writer.wait(30) for writer in writers] == [0, 0, 0]
    files = sorted(tmp_path.iterdir())
    assert logs.LOG_FILES <= len(files) <= 1 + logs.LOG_FILES
    assert all(file.stat().st_size < 12_000 for file in files), "one line past the limit for each writer at most"
    lines = [line for file in files for line in file.read_text().splitlines()]
    assert len(lines) == len(set(lines)) > 900, "no line is torn or doubled"
