"""Notices: something to tell a person, and its delivery. A notice carries its facts with it: this room knows neither
jobs, documents nor sources.

`kinds` lists what there is to report, `outbox` writes and takes notices, and `delivery` hands each to its channel:
`email`, `chat` or `webhook`. The channels know neither each other nor `delivery`.
"""
