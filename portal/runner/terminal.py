"""What the start does to the terminal, file or log collector that it was started from."""

import fcntl
import os
import shutil
import signal
import stat
import subprocess

from portal.tether import signal_when_parent_dies


def let_logs_append() -> None:
    """Make standard output something that every program can add to.

    supervisord opens /dev/fd/1 anew for each program. In a plain file each would then write over the others, so the
    file is switched to appending; a socket, which is what systemd gives, cannot be opened at all, so `cat` stands
    between.
    """
    kind = os.fstat(1).st_mode
    if stat.S_ISREG(kind):
        fcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL) | os.O_APPEND)
    elif stat.S_ISSOCK(kind):
        reading, writing = os.pipe()
        subprocess.Popen([shutil.which("cat") or "/bin/cat"], stdin=reading)
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        os.close(reading)
        os.close(writing)


def stop_with_make() -> None:
    """Under make, stop when make is gone: killing it would otherwise leave a portal that nobody sees (Linux only)."""
    if "MAKELEVEL" in os.environ:
        signal_when_parent_dies(signal.SIGTERM)
