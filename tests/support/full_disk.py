"""A full disk for processes that run: none of their files may grow (RLIMIT_FSIZE), as any user, root or not.

A write then fails with "File too large" where a full disk says "No space left on device"; both are OSErrors, and SQLite
answers both with an error of the disk. Python ignores the signal that comes with it; do not use it on other programs.
"""

import resource
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psutil


@contextmanager
def full_disk(pids: Iterable[int]) -> Iterator[None]:
    """While the block runs, these processes, their children and what they fork can write to no file."""
    pids = list(pids)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    _limit(pids, (0, before[1]))
    try:
        yield
    finally:
        _limit(pids, before)


def _limit(pids: Iterable[int], limit: tuple[int, int]) -> None:
    for pid in pids:
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            try:
                process.rlimit(psutil.RLIMIT_FSIZE, limit)
            except psutil.NoSuchProcess:
                continue  # it ended meanwhile
