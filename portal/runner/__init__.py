"""Running everything on one machine: the start, the supervisor, the embedded Valkey, and the line that says ready.

What lives here knows settings, processes and files, and nothing of jobs, documents or pages. `__main__` is what
`make run` calls. `ready.py` is run as a file, so that it starts without loading the portal.
"""
