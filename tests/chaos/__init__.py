"""Chaos: real processes, many jobs, seeded faults, and a judge who reads the order of commits. `make chaos` runs it.

It is no part of the tests that pytest collects: it takes minutes. The shipped program is broken on purpose here; the
program itself knows nothing of it.
"""
