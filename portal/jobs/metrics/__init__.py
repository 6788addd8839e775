"""Figures: how many files and numbers ended how, when, whose, at which source, and how long they took.

`records` are small sums that are kept by the quarter of an hour and by the day, so that a page reads as little with a
million jobs as with a thousand, and knows what became of jobs that were deleted. `counting` writes them in the
transaction in which a job ends, `catching_up` does it for jobs that ended otherwise, and `reading` and `live` are
asked by pages. `spans` and `spread` are pure.

What is counted: each job once, at the moment and in the status of its latest end. An attempt that is followed by an
automatic retry is no end. A job that is retried by a person is taken out again, and counts anew when it ends anew. A
deleted job stays counted. A figure of a day is of the jobs that ended on it, in the reader's time zone.
"""
