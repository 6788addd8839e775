"""The same things told to programs and rooms: the owner's webhook, and the admins' chat.

Called in the transaction of what happened, beside the mails; it writes notices and sends nothing.
"""

from datetime import datetime
from typing import Any

from portal.jobs.columns import JobColumns


def announce_job(kind: str, job: JobColumns, facts: dict[str, Any], now: datetime) -> None:
    """`kind`: job_failed, job_fixed or job_completed. Fixed is written beside completed, never both."""


def announce_source(kind: str, facts: dict[str, Any], now: datetime) -> None:
    """`kind`: source_stopped or source_back. `facts` name the source, its title in every language, and the cause."""
