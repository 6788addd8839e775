"""`python -m bench`: run all measurements and print one line each; exit code 1 when one misses its goal."""

import sys
from collections.abc import Iterator

from bench import (
    admin_pages,
    files,
    in_place,
    large_file,
    live,
    many_workers,
    metrics_pages,
    more_workers,
    offline,
    own_list,
    result_pages,
    sources,
    sweep,
)
from bench.measure import SHORT, Goal, going_first


def goals() -> Iterator[Goal]:
    """Measure every goal, one by one."""
    yield from offline.measure()
    yield from many_workers.measure()
    yield from large_file.measure()
    yield files.measure_reading()
    yield from files.measure_export()
    yield from in_place.measure()
    yield from sweep.goals()
    yield from admin_pages.goals()
    yield from own_list.goals()
    yield from metrics_pages.goals()
    yield from result_pages.goals()
    yield from live.goals()
    yield from sources.measure()
    yield from more_workers.measure()


def main() -> int:
    """Print the results and return the exit code."""
    print("bench, short round" if SHORT else "bench", flush=True)
    missed = 0
    with going_first():
        for goal in goals():
            print(goal.line(), flush=True)
            missed += not goal.holds
    print(f"{missed} missed" if missed else "all goals hold")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
