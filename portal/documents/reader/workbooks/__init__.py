"""Read xlsx, xlsb, xls and ods: the parser, what it does not say of a sheet, and what it cannot hold.

Only for the child process, which imports it under its limits.
"""
