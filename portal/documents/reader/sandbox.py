"""Locks the reading process in, as far as the kernel lets: no new privileges, no network, no file but its own.

Landlock (Linux 5.13) bounds the files, a seccomp filter refuses the calls that open a connection, start a program or
look into another process. Both only take away, need no privileges, and cannot be undone by the process. Where the
kernel has neither, the limits of `child.confine` remain; `abilities` says what holds. It must import nothing of the
portal.
"""

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

PR_SET_DUMPABLE, PR_GET_SECCOMP, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 4, 21, 22, 38, 2
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
VERSION, PATH_BENEATH = 1, 1

# Landlock's rights over files, version 1: what is handled is forbidden unless a rule allows it.
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
ALL_RIGHTS = (1 << 13) - 1
OWN_FOLDER = WRITE_FILE | READ_FILE | READ_DIR | 1 << 5 | 1 << 8  # and to make and remove regular files
LIBRARY = EXECUTE | READ_FILE | READ_DIR

# By architecture: its number in the audit header, and the calls that the filter refuses: socket, connect, bind,
# socketpair, execve, execveat, ptrace, process_vm_readv, process_vm_writev.
FORBIDDEN = {
    "x86_64": (0xC000003E, (41, 42, 49, 53, 59, 322, 101, 310, 311)),
    "aarch64": (0xC00000B7, (198, 203, 200, 199, 221, 281, 117, 270, 271)),
}
SYSTEM = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/share/zoneinfo")
DEVICES = ("/dev/urandom", "/dev/null", "/etc/ld.so.cache")
EPERM, ALLOW, ERRNO, KILL = 1, 0x7FFF0000, 0x00050000, 0x80000000
X32 = 0x40000000  # calls of the other ABI of x86_64 would pass by the filter


def abilities() -> dict[str, bool]:
    """What this machine's kernel offers: "landlock" and "seccomp"."""
    if sys.platform != "linux":
        return {"landlock": False, "seccomp": False}
    return {"landlock": _landlock_version() > 0, "seccomp": _has_seccomp()}


def _has_seccomp() -> bool:
    return platform.machine() in FORBIDDEN and int(_libc().prctl(PR_GET_SECCOMP, 0, 0, 0, 0)) >= 0


def not_dumpable() -> None:
    """Keep other processes of the same user from reading this one's memory and environment, its secrets among them."""
    if sys.platform == "linux":
        _libc().prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def lock_in(readable: Iterable[Path], folder: Path) -> None:
    """Allow this process to read these files and the program's own libraries, and to write only within `folder`."""
    if sys.platform != "linux":
        return
    _libc().prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if _landlock_version() > 0:
        _bound_files(list(readable), folder)
    if platform.machine() in FORBIDDEN:
        _forbid_calls(*FORBIDDEN[platform.machine()])


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _landlock_version() -> int:
    return int(_libc().syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION))


def _bound_files(readable: list[Path], folder: Path) -> None:
    libc = _libc()
    handled = struct.pack("Q", ALL_RIGHTS)
    ruleset = libc.syscall(CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), 0)
    if ruleset < 0:
        return
    libraries = {sys.prefix, sys.base_prefix, *sys.path, *SYSTEM, str(Path(__file__).parents[2])}
    rules = [(Path(name), LIBRARY) for name in libraries if name]
    rules += [(path, READ_FILE) for path in (*readable, *map(Path, DEVICES))]
    for path, rights in [*rules, (folder, OWN_FOLDER)]:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        rights = rights if path.is_dir() else rights & (EXECUTE | WRITE_FILE | READ_FILE)
        rule = struct.pack("=Qi", rights, place)
        libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, 0)
        os.close(place)
    libc.syscall(RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _forbid_calls(architecture: int, calls: tuple[int, ...]) -> None:
    """Install a filter: another architecture kills the process, a forbidden call fails with EPERM, all else goes on."""
    load, jump_equal, jump_above, give = 0x20, 0x15, 0x35, 0x06
    program = [
        (load, 0, 0, 4),  # the architecture
        (jump_equal, 1, 0, architecture),
        (give, 0, 0, KILL),
        (load, 0, 0, 0),  # the call
        (jump_above, len(calls) + 1, 0, X32),
    ]
    program += [(jump_equal, len(calls) - n + 1, 0, call) for n, call in enumerate(calls, start=1)]
    program += [(give, 0, 0, ALLOW), (give, 0, 0, ERRNO | EPERM)]
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    held = ctypes.create_string_buffer(code, len(code))
    filters = struct.pack("HxxxxxxP", len(program), ctypes.addressof(held))
    _libc().prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filters, 0, 0)
