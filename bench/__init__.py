"""Benchmarks as ratios within one run: `make bench`, or BENCH_SHORT=1 for a round of half a minute.

Seconds say more about the machine than about the program, so each goal compares two things that are measured in turns,
the best of several rounds each. Every goal has a floor, well below what was measured; below it the run fails.
"""
