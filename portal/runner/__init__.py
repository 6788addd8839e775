"""Runs everything on one machine: the start, the supervisor, the embedded Valkey, and the "ready" message.

It knows settings, processes and files; it must not know jobs, documents or pages. `make run` calls `__main__`.
`supervise.py` is run as a file, so that it starts without loading the portal.
"""
