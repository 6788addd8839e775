"""Let a process die with its parent: a call for our own processes, and a program that stands in front of others,
`python -P tether.py [--lock FILE] PROGRAM [ARGUMENT…]`.

Supervisor puts each program into a group of its own, so `kill -9` of supervisord would leave all of them behind,
with the port and the database still in their hands. Linux can tell a process to die with its parent; elsewhere this
promise does not hold. With --lock the program also holds that file for as long as it lives, so that two Valkeys
never write into one folder. It must import nothing of the portal: it stands in front of every start, and the process
that reads uploads loads it.
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
    """Have the kernel kill this process when `parent`, which started it, dies. Ends it now if that was before.
    Elsewhere than on Linux only the second half holds."""
    signal_when_parent_dies(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def hold(path: str, seconds: float) -> bool:
    """Lock `path` for as long as this process lives, also past an exec. Waits a while: its last holder may be dying."""
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
    """Become the program. Ends with a sentence when the lock is held by another."""
    die_with(int(os.environ.get("RUN_SUPERVISOR_PID") or os.getppid()))
    if words[0] == "--lock":
        if not hold(words[1], LOCK_SECONDS):
            sys.exit(f"{words[1]} is held by another process.")
        words = words[2:]
    os.execvp(words[0], list(words))  # noqa: S606 - starting a program is what this is for


if __name__ == "__main__":
    main(sys.argv[1:])
