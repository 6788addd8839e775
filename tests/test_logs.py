"""Logging never raises, and its files stay small, whichever processes write to them."""

import json
import logging
import os
import re
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

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


HOSTILE = "a\x9b31mb\u2028c\u2029d\x1b]0;e\x07f\u202eg\x7fh\x85i\ud800j"
RAW = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"


def test_no_control_character_reaches_the_terminal_or_the_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    logs.set_up(tmp_path, "INFO")
    log = structlog.get_logger("portal")
    log.warning("by field", name=HOSTILE, many=[HOSTILE], **{"an exception": HOSTILE})
    log.warning(HOSTILE)
    # Without half a character: pytest keeps these two as they are, and cannot send one to its main process.
    whole = HOSTILE.replace("\ud800", "")
    logging.getLogger("a library").warning("it says %s", whole)
    try:
        raise ValueError(whole)
    except ValueError:
        log.exception("raised")
    seen, kept = capfd.readouterr().err, (tmp_path / "logger.log").read_text()
    assert not re.findall(RAW, seen) and not re.findall(RAW, kept)
    assert "a\\x9b31mb\\u2028c" in seen and "Traceback (most recent call last):\n" in seen
    assert json.loads(kept.splitlines()[0])["name"].startswith("a\\x9b31mb")
