"""The sentences about jobs: statuses, causes and timeline entries.

Only words. Nothing here reads the database or decides anything.
"""
