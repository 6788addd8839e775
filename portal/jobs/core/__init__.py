"""What a job is made of: statuses, columns, tables, ledger, timeline, and the facts derived from its row.

The lowest room of jobs: it must not know notices, pages, Redis or any other room of jobs.
"""
