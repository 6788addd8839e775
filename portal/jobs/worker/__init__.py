"""The processes behind Redis: the RQ worker, the tasks that a message may name, and the scheduler.

Besides `portal.jobs.dispatch`, only this room may know RQ.
"""
