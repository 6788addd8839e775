"""Notices about jobs: who is notified of what, with which facts, and how that appears on a timeline.

It writes notices and must not send them: `portal.notices` does.
"""
