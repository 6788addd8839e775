"""Makes processes die with their parent: a function for our own, and a program that starts others,
`python -P tether.py [--lock FILE] PROGRAM [ARGUMENT…]`.

Supervisor puts each program into its own process group, so `kill -9` of supervisord would leave all of them running,
still holding the port and the database. Linux can kill a process when its parent dies; elsewhere this promise does not
hold. With --lock the program also locks that file while it lives, so that two Valkeys never write into one folder. It
must import nothing of the portal: it runs as a file before every start, and the process that reads uploads loads it.
"""

import ctypes
import fcntl
import os
import signal
import sys
import time
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1
LOCK_SECONDS = 10.0


def signal_when_parent_dies(number: signal.Signals) -> None:
    """Have the kernel send this process a signal when its parent dies (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent process `parent` dies; exit now if it is dead already. Outside
    Linux, only the second half holds."""
    signal_when_parent_dies(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def hold_lock(path: str, seconds: float) -> bool:
    """Lock the file `path` until this process ends, even after an exec; return whether that worked.

    Waits up to `seconds`, because the last holder may still be shutting down.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(handle)
                return False
            time.sleep(0.05)
    os.set_inheritable(handle, True)
    return True


def main(words: Sequence[str]) -> None:
    """Become the program. Exits with a sentence when another process holds the lock."""
    die_with(int(os.environ.get("RUN_SUPERVISOR_PID") or os.getppid()))
    if words[0] == "--lock":
        if not hold_lock(words[1], LOCK_SECONDS):
            sys.exit(f"{words[1]} is held by another process.")
        words = words[2:]
    os.execvp(words[0], list(words))  # noqa: S606 - starting a program is the purpose


if __name__ == "__main__":
    main(sys.argv[1:])
