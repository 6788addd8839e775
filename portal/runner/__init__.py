"""Runs everything on one machine: the start, the supervisor, the embedded Valkey, and the "ready" message.

It knows settings, processes and files; it must not know jobs, documents or pages. `make run` calls `__main__`.
`tether.py` and `supervise.py` are run as files, so that they start without loading the portal.
"""
