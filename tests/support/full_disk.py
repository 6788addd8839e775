"""A full disk for processes that run: none of their files may grow (RLIMIT_FSIZE), as any user, root or not.

A write then fails with "File too large" where a full disk says "No space left on device"; both are OSErrors, and SQLite
answers both with an error of the disk. Python ignores the signal that comes with it; do not use it on other programs.
"""

import os
import resource
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import psutil


@contextmanager
def full_disk(pids: Iterable[int]) -> Iterator[None]:
    """While the block runs, these processes and what they have forked, or fork, can write to no file."""
    pids = list(pids)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    _limit(pids, (0, before[1]))
    try:
        yield
    finally:
        _limit(pids, before)


def _limit(pids: Iterable[int], limit: tuple[int, int]) -> None:
    for pid in pids:
        if pid == os.getpid():  # and not the servers that the tests have started: they are not the portal's
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
            continue
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile
            process = psutil.Process(pid)
            for one in [process, *process.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    one.rlimit(psutil.RLIMIT_FSIZE, limit)
