"""Measure several things in turns, and keep the best time of each: whatever else the machine does only adds to it."""

import contextlib
import gc
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

SHORT = bool(os.environ.get("BENCH_SHORT"))
AHEAD = -10  # the niceness of a bench
SESSION = Path("/proc/self/autogroup")


@dataclass(frozen=True)
class Goal:
    """One line of the result. `figure` must be between `floor` and `ceiling`."""

    what: str
    figure: float
    detail: str
    floor: float = 0.0
    ceiling: float = float("inf")

    @property
    def holds(self) -> bool:
        """Whether the figure is within its bounds."""
        return self.floor <= self.figure <= self.ceiling

    def line(self) -> str:
        """Return the goal as printed."""
        bound = f">= {self.floor:g}" if self.floor else f"<= {self.ceiling:g}"
        return f"{'ok  ' if self.holds else 'MISS'} {self.what}: {self.figure:.2f} (goal {bound}) · {self.detail}"


def best_of(
    rounds: int,
    *,
    most: int = 0,
    enough: Callable[[dict[str, float]], bool] = lambda best: True,
    **timed: Callable[[], float],
) -> dict[str, float]:
    """Return the best time of each, in seconds. Each function times itself, so that preparations do not count.

    After `rounds`, measure on until it is `enough`, in `most` rounds at most: on a busy machine the first few may all
    be disturbed.
    """
    best = dict.fromkeys(timed, float("inf"))
    for done in range(max(rounds, most)):
        if done >= rounds and enough(best):
            break
        for name, run in timed.items():
            gc.collect()
            best[name] = min(best[name], run())
    return best


@contextlib.contextmanager
def going_first() -> Iterator[None]:
    """Let this process's session go before other programs, where the system allows it (to root, mostly): beside a busy
    neighbour, a time by the wall clock would say more about the neighbour."""
    # Linux divides the processor among sessions first, and by niceness only within each of them.
    with contextlib.ExitStack() as undo:
        with contextlib.suppress(OSError):
            os.nice(AHEAD)
            undo.callback(os.nice, -AHEAD)
        with contextlib.suppress(OSError):
            # "/autogroup-42 nice 0"; empty where the kernel knows no such groups.
            if before := SESSION.read_text().split()[-1:]:
                SESSION.write_text(str(AHEAD))
                undo.callback(SESSION.write_text, before[0])
        yield


def seconds(run: Callable[[], object]) -> float:
    """Return the CPU seconds of one call, in all its threads. Other programs on the machine do not count."""
    began = time.process_time()
    run()
    return time.process_time() - began
