"""A process that has imported the portal and forks workers for tests: a start takes hundredths of a second, not two.

`python -m tests.support.preloaded` reads one JSON line for each worker (`role`, `environ`, `log`) and prints its pid.
Each fork runs `worker_main` and dies with this process, which dies with the test run.
"""

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from portal.config import ROOT


@dataclass
class Preloaded:
    """The process as the test sees it."""

    popen: subprocess.Popen[bytes]

    def fork(self, role: str, environ: Mapping[str, str], log: Path) -> int:
        """Start a worker with this role and return its pid."""
        assert self.popen.stdin and self.popen.stdout
        asked = json.dumps({"role": role, "environ": dict(environ), "log": str(log)})
        self.popen.stdin.write(asked.encode() + b"\n")
        self.popen.stdin.flush()
        return int(self.popen.stdout.readline())


@contextmanager
def preloaded() -> Iterator[Preloaded]:
    """Run the process; everything that it started ends with it."""
    # Imported here, as this module also runs as the process itself, which must not load the servers for tests.
    from tests.services import dies_with_us, stop

    popen = subprocess.Popen(
        [sys.executable, "-m", "tests.support.preloaded"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=dies_with_us(signal.SIGKILL),
    )  # fmt: skip
    with popen:
        try:
            yield Preloaded(popen)
        finally:
            stop(popen, signal.SIGKILL)


def _become(role: str, environ: Mapping[str, str], log: str, parent: int) -> None:
    from portal.tether import die_with
    from tests.support import worker_main

    die_with(parent)
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for number in (1, 2):
        os.dup2(out, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["worker_main", role]
    code = 0
    try:
        worker_main.main()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _serve() -> None:
    # What every worker imports, and what create_app and messages import only when they run.
    for name in (
        "portal.application",
        "portal.jobs.worker.scheduler",
        "portal.jobs.worker.tasks",
        "tests.support.worker_main",
    ):
        import_module(name)
    parent = os.getpid()
    for line in sys.stdin.buffer:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:  # collect forks that have ended
                pass
        except ChildProcessError:
            pass
        asked = json.loads(line)
        if (pid := os.fork()) == 0:
            _become(asked["role"], asked["environ"], asked["log"], parent)
        os.write(1, f"{pid}\n".encode())


if __name__ == "__main__":
    _serve()
