"""One attempt: the window of lookups in flight, the retry queue, saving with a fence, the heartbeat and the outcome.

It must not know RQ. `runner` puts the parts together.
"""
