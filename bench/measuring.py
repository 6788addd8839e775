"""Measuring: several things in turns, and the best time of each."""

import gc
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

SHORT = bool(os.environ.get("BENCH_SHORT"))


@dataclass(frozen=True)
class Goal:
    """One line of the result. `figure` must not be under `floor` or, where there is a `ceiling`, over that."""

    what: str
    figure: float
    detail: str
    floor: float = 0.0
    ceiling: float = float("inf")

    @property
    def holds(self) -> bool:
        """Whether the figure is where it has to be."""
        return self.floor <= self.figure <= self.ceiling

    def line(self) -> str:
        """The goal as it is printed."""
        bound = f">= {self.floor:g}" if self.floor else f"<= {self.ceiling:g}"
        return f"{'ok  ' if self.holds else 'MISS'} {self.what}: {self.figure:.2f} (goal {bound}) · {self.detail}"


def in_turns(rounds: int, **timed: Callable[[], float]) -> dict[str, float]:
    """The best time of each, in seconds. Each function times itself, so that it can prepare before."""
    best = dict.fromkeys(timed, float("inf"))
    for _ in range(rounds):
        for name, run in timed.items():
            gc.collect()
            best[name] = min(best[name], run())
    return best


def seconds(run: Callable[[], object]) -> float:
    """How much of a processor one call takes, in all its threads: a neighbour on the machine must not count."""
    began = time.process_time()
    run()
    return time.process_time() - began
