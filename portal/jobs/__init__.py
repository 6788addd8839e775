"""A job's life: its statuses and moves, its numbers, its attempts, the sweep, and what people may ask and do.

The rooms inside, each built only on those before it: `core` (tables, statuses, what is derived from a row), `words` and
`metrics`, `notify`, the files of this folder, then `attempt`, `export`, `admin` and `health`, then `sweep`, then
`worker`. `core.columns` → `lifecycle` → `models` is one class in three files: what a job's row has, its verbs (the only
writer of `status`), and `ScrapingJob` itself. Others call `commands` to change a job and `queries` to read it. Only
`dispatch`, `worker.rq_worker` and `worker.scheduler` know RQ: the database is the truth, and Redis a doorbell.
"""
