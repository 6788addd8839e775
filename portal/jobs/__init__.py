"""Everything about a job: its statuses and moves, its numbers, its attempts, the sweep, and what people may ask and do.

Each room builds only on those before it: `core` (tables, statuses, facts derived from a row), `words` and `metrics`,
`notify`, the files of this folder, then `attempt`, `export`, `admin`, `health`, `trials`, then `sweep`, then `worker`.
`core.columns` → `lifecycle` → `models` is one class in three files: the columns of a job's row, its verbs (the only
writer of `status`), and `ScrapingJob` itself. Other rooms call `commands` to change a job and `queries` to read it.
Only `dispatch`, `worker.rq_worker` and `worker.scheduler` know RQ: the database is the truth, and Redis a doorbell.
"""
