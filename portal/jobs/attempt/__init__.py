"""Runs one attempt at a job: the window of lookups in flight, the queue of numbers, the fenced save, the heartbeat and
the outcome.

`runner` puts the parts together. Nothing here may know RQ.
"""
