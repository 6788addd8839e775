"""The reading process can open its own file and nothing else, connect to nobody, and start nothing."""

import ctypes
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from portal.config import ROOT
from portal.documents.reader import sandbox
from portal.documents.reader.limits import ReadLimits

TRIES = """
import ctypes, json, os, socket, subprocess, sys
from pathlib import Path
from portal.documents.reader import child
path, folder, secret, port, parent = sys.argv[1:]
child.confine(child.ReadLimits(), os.getppid(), Path(path), Path(folder))
def tried(action):
    try:
        action()
    except BaseException as error:
        return type(error).__name__
    return "done"
print(json.dumps({
    "own file": tried(lambda: Path(path).read_bytes()),
    "own folder": tried(lambda: Path(folder, "0.jsonl").write_text("x")),
    "a library": tried(lambda: __import__("python_calamine")),
    "a secret": tried(lambda: Path(secret).read_bytes()),
    "passwords": tried(lambda: Path("/etc/passwd").read_bytes()),
    "parent's environment": tried(lambda: Path(f"/proc/{parent}/environ").read_bytes()),
    "write elsewhere": tried(lambda: Path(secret).write_text("x")),
    "connect": tried(lambda: socket.create_connection(("127.0.0.1", int(port)), 2)),
    "start a program": tried(lambda: os.execv("/bin/true", ["true"])),
}))
"""


@pytest.mark.skipif(not all(sandbox.abilities().values()), reason="this kernel has no Landlock or no seccomp filter")
def test_the_child_reaches_nothing_but_its_file(tmp_path: Path) -> None:
    (folder := tmp_path / "work").mkdir()
    (path := tmp_path / "a.xlsx").write_bytes(b"x")
    (secret := tmp_path / "secret_key").write_text("key")
    with socket.create_server(("127.0.0.1", 0)) as server:
        given = [path, folder, secret, server.getsockname()[1], os.getpid()]
        run = subprocess.run(
            [sys.executable, "-c", TRIES, *map(str, given)], cwd=ROOT, capture_output=True, text=True, timeout=60
        )
    result = json.loads(run.stdout)
    assert {what for what, how in result.items() if how == "done"} == {"own file", "own folder", "a library"}, result
    assert result["connect"] == result["start a program"] == result["passwords"] == "PermissionError"
    assert secret.read_text() == "key"


STAYS_CLOSED = {
    "the function": "from portal.documents.reader.sandbox import not_dumpable; not_dumpable(); {wait}",
    "a worker": (
        "from portal.jobs.worker import rq_worker; rq_worker.create_app = lambda: None\n"
        "def work(app, name): {wait}\n"
        "rq_worker.work = work; rq_worker.main(['worker', 'sweep'])"
    ),
    "any other process": "{wait}",
}


def _drop_capabilities() -> None:
    """Root's too: with them, a process may read what is closed to others of its user."""
    for capability in range(64):
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
@pytest.mark.parametrize("who", STAYS_CLOSED)
def test_the_environment_of_a_worker_is_closed_to_others_of_its_user(who: str) -> None:
    code = STAYS_CLOSED[who].format(wait="print('ready', flush=True); input()")
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        preexec_fn=_drop_capabilities,
    ) as process:  # fmt: skip
        try:
            assert process.stdout and process.stdout.readline() == b"ready\n"
            read = subprocess.run(
                ["cat", f"/proc/{process.pid}/environ"], capture_output=True, check=False, preexec_fn=_drop_capabilities
            )
        finally:
            process.kill()
    assert (b"PATH=" in read.stdout) == (who == "any other process"), read.stderr


CONFINED = """
import os, sys
from pathlib import Path
from portal.documents.reader import child
child.confine(child.ReadLimits(), os.getppid(), Path(sys.argv[1]), Path(sys.argv[1]).parent)
print("ready", flush=True)
input()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_the_child_is_the_first_to_end_and_gets_nothing_more(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CONFINED, tmp_path / "a.xlsx"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout and process.stdout.readline() == b"ready\n"
            seen = Path(f"/proc/{process.pid}")
            limits = {line[:25].strip(): line[25:].split() for line in (seen / "limits").read_text().splitlines()}
            assert (seen / "oom_score_adj").read_text() == "1000\n", "it ends first when memory runs out"
            assert "NoNewPrivs:\t1\n" in (seen / "status").read_text()
        finally:
            process.kill()
    memory = str(ReadLimits().memory_bytes)
    wanted = {"Max open files": "64", "Max processes": "0", "Max address space": memory, "Max core file size": "0"}
    assert {name: limits[name][1] for name in wanted} == wanted


def test_the_memory_of_the_child_is_half_a_gigabyte() -> None:
    assert ReadLimits().memory_bytes < 520 * 1024 * 1024
