"""The names that `flask shell` has without an import, so that the seed's snippets work as written."""

from datetime import UTC, datetime, timedelta
from typing import Any

from portal.accounts import User
from portal.clock import utcnow
from portal.database import db
from portal.documents.models import Document
from portal.jobs.models import ScrapingJob
from portal.seed_compat import Count


class timezone:  # django.utils.timezone in the seed's snippets
    """Like Django's: `timezone.now()` is the present moment, aware and in UTC."""

    utc = UTC

    @staticmethod
    def now() -> datetime:
        return utcnow()


def names() -> dict[str, Any]:
    """Return the names, for Flask. Objects stay readable after their transaction has ended, so that looking at a job
    does not hold a lock that would block the portal."""
    db.session().expire_on_commit = False
    return {
        "ScrapingJob": ScrapingJob, "Document": Document, "User": User, "Count": Count,
        "db": db, "timezone": timezone, "timedelta": timedelta, "utcnow": utcnow,
    }  # fmt: skip
