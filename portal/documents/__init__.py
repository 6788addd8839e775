"""Uploaded files: stored under our own name, read in a confined child process, and checked number by number.

It must not import sources, notices or jobs: a document is a file that has been read. `check` and `reader` are pure
and import nothing from Flask.
"""
