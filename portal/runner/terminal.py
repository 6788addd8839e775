"""Prepares the terminal, file or log collector that `make run` writes to."""

import fcntl
import os
import shutil
import signal
import stat
import subprocess

from portal.tether import signal_when_parent_dies


def let_logs_append() -> None:
    """Make standard output appendable by every program.

    supervisord opens /dev/fd/1 again for each program. In a plain file they would overwrite each other, so the file is
    switched to append mode. A socket, as systemd provides, cannot be opened again, so a `cat` process copies to it.
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
    """Under make, stop when make ends: killing make would otherwise leave an invisible portal running (Linux only)."""
    if "MAKELEVEL" in os.environ:
        signal_when_parent_dies(signal.SIGTERM)
