"""Reading a spreadsheet in a confined child process. `parent` is the way in; `child` runs in the other process.

No Flask and no database: the child starts without them.
"""
