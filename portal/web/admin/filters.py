"""Filters of the administrators' list, as read from the address or a form. The only table it queries is that of
telephone number searches, and it knows no page.
"""

import re
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from flask import request

from portal.accounts import User
from portal.jobs.admin import phone_search
from portal.jobs.admin.filters import Filters
from portal.jobs.admin.job_list import Cursor, Sort, SortOrder
from portal.jobs.admin.triage import SPANS
from portal.jobs.core.status import Status
from portal.web.cursor import from_text
from portal.web.locale import reader_zone

REFERENCE = re.compile(r"\s*SJ-(\d{1,10})-A(\d{1,6})\s*", re.IGNORECASE)
ID = re.compile(r"\s*#(\d{1,10})\s*")
NO_CAUSE = "-"
NO_NUMBER = "-"  # in place of an expired search's number: it matches no file


@dataclass(frozen=True)
class ListQuery:
    """The filters and the order, as texts of the address. `found` is the key of a search by telephone number."""

    status: str = ""
    q: str = ""
    user: str = ""
    source: str = ""
    cause: str = ""
    since: str = ""  # days, such as 2026-05-31, both included
    until: str = ""
    last: str = ""  # changed within: one of triage.SPANS
    open: str = ""
    stopped: str = ""
    found: str = ""
    sort: str = ""

    @classmethod
    def read(cls) -> Self:
        """Read them from the request."""
        return cls(*(request.values.get(one.name, "").strip()[:200] for one in fields(cls)))

    def arguments(self, **others: Any) -> dict[str, Any]:
        """Return the address's arguments without empty ones; `others` replace existing ones."""
        return {name: value for name, value in {**vars(self), **others}.items() if value}

    @property
    def narrowed(self) -> bool:
        """Whether any filter except the status is set."""
        return bool(replace(self, status="", sort="").arguments())

    @property
    def invalid(self) -> bool:
        """Whether a filter has an unknown value. A page ignores it, but a bulk action on all matching jobs would then
        affect many more than intended."""
        days = [day for day in (self.since, self.until) if day]
        return bool(
            (self.status and self.status not in tuple(Status))
            or (self.last and self.last not in SPANS)
            or [day for day in days if day_at(day) is None]
        )

    @property
    def reversed_days(self) -> bool:
        """Whether the last day is before the first one, so that no file can match."""
        first, last = day_at(self.since), day_at(self.until)
        return bool(first and last and last < first)

    @property
    def by(self) -> SortOrder:
        """The order. A list filtered by cause or last change shows the latest change first by default."""
        name = self.sort.removeprefix("-")
        if name in tuple(Sort):
            return SortOrder(Sort(name), self.sort.startswith("-"))
        return SortOrder(Sort.UPDATED if self.cause or self.last else Sort.CREATED)

    def place(self) -> Cursor | None:
        """Return the cursor after which the page begins."""
        return from_text(request.args.get("after", ""))

    def filters(self, admin: User, now: datetime) -> Filters:
        """Return the filters for the list; an unknown value does not filter."""
        wanted = Filters(
            status=Status(self.status) if self.status in tuple(Status) else None,
            user=self.user,
            source=self.source,
            cause=None if not self.cause else "" if self.cause == NO_CAUSE else self.cause,
            e164=(phone_search.phone_of(admin, self.found, now) or NO_NUMBER) if self.found else None,
            since=day_at(self.since),
            until=day_at(self.until, after=1),
            changed_since=_within(self.last, now),
            still_open=bool(self.open),
            stopped=bool(self.stopped),
        )
        if match := REFERENCE.fullmatch(self.q) or ID.fullmatch(self.q):
            return replace(wanted, job_id=int(match[1]))
        if "@" in self.q:
            return replace(wanted, user=self.q)
        return replace(wanted, name=self.q)


def _within(last: str, now: datetime) -> datetime | None:
    back = SPANS.get(last)
    return None if back is None else now - back


def day_at(day: str, after: int = 0) -> datetime | None:
    """Return the start of a day in the administrator's time zone, plus `after` days; None if it is not a date."""
    try:
        begins = datetime.strptime(day, "%Y-%m-%d") + timedelta(days=after)  # noqa: DTZ007 - the zone comes next
        return begins.replace(tzinfo=reader_zone()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
