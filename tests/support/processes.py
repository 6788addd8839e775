"""Starts a server for a test, waits for it, and ends it by its pid, even when the test run itself is killed."""

import ctypes
import fcntl
import multiprocessing
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
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any, NoReturn

import pytest

from portal.tether import PR_SET_PDEATHSIG

MEMORY = Path("/dev/shm")
PATIENT_SECONDS = 40.0
NEEDED_BYTES = 4 * 2**30  # twice what a run keeps at one time; a container has 64 MB unless asked for more
_PORTS = iter(range(20_000, 30_000))  # each is used once, as an earlier server may still be shutting down


def missing(what: str) -> NoReturn:
    """Fail (with CI=true) or skip the test, as this machine lacks something that it needs."""
    sentence = f"{what} is missing on this machine (`make test` installs it where it may)"
    if os.environ.get("CI") == "true":
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


def crowd() -> ForkServerContext:
    """Where a test makes processes of its own: forks of one that has imported the portal, which takes two seconds. It
    ends with this run."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "portal.application", "tests.services"])
    return context


def wait_until(true: Callable[[], Any], seconds: float = PATIENT_SECONDS, what: str = "") -> Any:
    """Wait until `true()` returns something true, and return that. Raises TimeoutError after `seconds`, and never
    before PATIENT_SECONDS: how long a wait may last says nothing of the portal, only how busy the machine may be."""
    seconds = max(seconds, PATIENT_SECONDS)
    deadline = time.monotonic() + seconds
    while not (answer := true()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what or true}")
        time.sleep(0.02)
    return answer


def free_port() -> int:
    """A free port of 127.0.0.1, reserved for this process until it ends.

    It is below the ports that the kernel gives to connections. Its byte in a file is locked, as two test runs, or two
    workers of one, would otherwise find the same port free at the same moment.
    """
    for port in _PORTS:
        try:
            fcntl.lockf(_port_locks(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        except BlockingIOError:
            continue
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:  # used by a program that is not a test run
            continue
    raise RuntimeError("no port is free")


@cache
def _port_locks() -> int:
    """The file with one byte for each port. Left open: the kernel releases the locks when the process ends."""
    path = Path(tempfile.gettempdir()) / f"masterfilter-test-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def dies_with_us(on_death: signal.Signals) -> Callable[[], None]:
    """For `preexec_fn`: the child gets this signal when the test run dies (Linux only; elsewhere no effect)."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def tie() -> None:
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, on_death)

    return tie


def stop(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    """End a process that we started and wait for it; kill it if it ignores the signal."""
    if process.poll() is None:
        process.send_signal(how)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


@cache
def in_memory() -> bool:
    """Whether this machine has memory enough for what tests write, so that none waits for a disk."""
    return MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > NEEDED_BYTES


def write_in_memory() -> None:
    """Put temporary folders into memory where there is enough, also those of processes that are started from now on."""
    if in_memory():
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose path is short enough for a Unix socket; pytest's own are too long."""
    folder = Path(tempfile.mkdtemp(prefix="mf-", dir=MEMORY if in_memory() else "/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
