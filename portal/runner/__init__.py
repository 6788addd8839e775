"""Running everything on one machine: the start, the supervisor, the embedded Valkey, and the line that says ready.

What lives here knows settings, processes and files, and nothing of jobs, documents or pages. `__main__` is what
`make run` calls. `tether.py` and `announce.py` are run as files, so that they start without loading the portal.
"""
