"""Starting a server for a test, waiting for it, and ending it by its pid, also when the test run itself is killed."""

import ctypes
import fcntl
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
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest

from portal.tether import PR_SET_PDEATHSIG

_PORTS = iter(range(20_000, 30_000))  # each is given out once: what listened there may still be leaving


def missing(what: str) -> NoReturn:
    """This machine lacks something that a test needs: fail where CI=true, else skip and say so."""
    sentence = f"{what} is missing on this machine (`make test` installs it where it may)"
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
    """A port of 127.0.0.1 that nobody listens at, and that stays this process's own until it ends.

    It is below those that the kernel gives to connections, and its place in a file is locked: two test runs, or two
    workers of one, that look at the same moment would otherwise both find it free.
    """
    for port in _PORTS:
        try:
            fcntl.lockf(_port_locks(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        except BlockingIOError:
            continue
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:  # a program that asks no test run for its port
            continue
    raise RuntimeError("no port is free")


@cache
def _port_locks() -> int:
    """The file whose bytes stand for the ports. Left open: the kernel gives the locks back when the process ends."""
    path = Path(tempfile.gettempdir()) / f"masterfilter-test-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


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
