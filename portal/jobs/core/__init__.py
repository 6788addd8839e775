"""What a job is made of: statuses, columns, tables, ledger, timeline, and what follows from a row.

The floor of the jobs: it must not know notices, pages, Redis or any other room of jobs.
"""
