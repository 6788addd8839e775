"""Reads a spreadsheet in a confined child process. Call `parent`; `child` runs in the other process.

No Flask and no database here: the child process starts without them.
"""
