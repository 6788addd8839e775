"""Metrics: how many files and numbers ended how, when, whose and at which source, and how long they took.

`models` holds small sums per quarter of an hour and per day, so that a page reads as little with a million jobs as with
a thousand, and still counts jobs that were deleted. `record` writes them in the transaction in which a job ends;
`sweep.metrics_backfill` adds jobs that ended in other ways. Pages read `queries` and `summary`, and
`jobs.status_counts` for the present. `periods` and `histogram` are pure.

Each job counts once, at the moment and in the status of its latest end. An attempt that is followed by an automatic
retry is not an end. When a person retries a job, its end is subtracted, and the job counts again when it ends again. A
deleted job stays counted. A day's value covers the jobs that ended on it, in the reader's time zone.
"""
