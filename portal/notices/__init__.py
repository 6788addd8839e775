"""Notices to people and their delivery by e-mail, chat and webhook.

A notice carries its own facts, so this room imports neither jobs nor documents. `kinds` lists what can be reported,
`outbox` writes and takes notices, and `delivery` passes each one to its channel. The channels import neither each other
nor `delivery`.
"""
