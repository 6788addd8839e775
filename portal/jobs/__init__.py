"""A job's life: its statuses and moves, its ledger of numbers, its attempts, the sweep and what asks about them.

`columns` → `lifecycle` → `models` is one class in three rooms: what a job row has, its verbs (the only writer of
`status`), and `ScrapingJob` itself. Views ask `queries` and nothing else. Only `dispatch`, `working` and
`scheduling` know RQ: the database is the truth and Redis a doorbell.
"""
