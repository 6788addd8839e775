"""Starting a server for a test, waiting for it, and ending it by its pid, also when the test run itself is killed."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

from portal.running.tether import PR_SET_PDEATHSIG


def missing(what: str) -> NoReturn:
    """This machine lacks something that a test needs: fail where CI=true, else skip and say so."""
    sentence = f"{what} is missing on this machine (`make test` installs it when run as root)"
    if os.environ.get("CI") == "true":
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


def wait_until(true: Callable[[], Any], seconds: float = 10.0, what: str = "") -> Any:
    """Wait until `true()` is, and give its answer back. Raises TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := true()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what or true}")
        time.sleep(0.02)
    return answer


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def dies_with_us(on_death: signal.Signals) -> Callable[[], None]:
    """For `preexec_fn`: the child gets this signal when the test run dies (Linux only; elsewhere nothing)."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def tie() -> None:
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, on_death)

    return tie


def stop(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    """End a process that we started and wait for it; kill it when it does not listen."""
    if process.poll() is None:
        process.send_signal(how)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose path is short enough for a Unix socket, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="mf-", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
