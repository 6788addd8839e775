"""The processes behind Redis: the RQ worker, the tasks that a message may name, and the scheduler.

Beside `portal.jobs.dispatch`, only this room knows RQ.
"""
