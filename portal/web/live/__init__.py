"""The stream of events: open pages follow the jobs that they show.

`/events` is served by a process of its own, which holds a thousand connections in one thread
(deploy/gunicorn_events.conf.py); the pages' processes hand each such connection over to it. `stream` has the address,
`watches` what a page can follow and how it is rendered, `hub` who follows what and when it is rendered, `listener` the
messages from Redis. A fragment is rendered once for all pages that show the same to readers with the same rights,
language and time zone.
"""
