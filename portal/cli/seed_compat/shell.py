"""What `flask shell` knows without an import, so that the seed's snippets can be typed as they are."""

from datetime import UTC, datetime, timedelta
from typing import Any

from portal.accounts import User
from portal.clock import utcnow
from portal.database import db
from portal.documents.models import Document
from portal.jobs.models import ScrapingJob
from portal.seed_compat import Count


class timezone:  # the name under which the seed's snippets ask for the time
    """`timezone.now()`: the present moment, aware and in UTC."""

    utc = UTC

    @staticmethod
    def now() -> datetime:
        return utcnow()


def names() -> dict[str, Any]:
    """For Flask: the names of the shell. What was read stays readable after its transaction has ended, so that
    looking at a job takes no lock that would keep the portal waiting."""
    db.session().expire_on_commit = False
    return {
        "ScrapingJob": ScrapingJob, "Document": Document, "User": User, "Count": Count,
        "db": db, "timezone": timezone, "timedelta": timedelta, "utcnow": utcnow,
    }  # fmt: skip
