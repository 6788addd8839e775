"""What is left of the credit at each source that tells it, and the warning before it ends, or before a cap is reached.

A worker asks a source for its balance after it has worked on one of its files, once an hour at most; what answers say
of the balance on the way is noted too. The sweep warns the administrators, once for each time that it gets low.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
from redis.exceptions import RedisError
from sqlalchemy import select

from portal import sources
from portal.database import db
from portal.jobs.core.spending_tables import CapScope
from portal.jobs.dispatch import connection
from portal.jobs.models import ScrapingJob
from portal.jobs.notify import send
from portal.jobs.spending.caps import all_caps
from portal.jobs.spending.reservations import month_of
from portal.sources.limits.balance import BalanceNote

log = structlog.get_logger(__name__)

ASKED_EVERY = timedelta(hours=1)
NEAR = 80  # per cent of a cap


@dataclass(frozen=True)
class SourceBalance:
    """The last balance of a source. `is_low`: below what its recipe calls low."""

    source: str
    currency: str
    amount: Decimal
    at: datetime
    is_low: bool


def known(now: datetime) -> list[SourceBalance]:
    """Return the last balance of each source that has told one."""
    found = []
    for name in sources.names():
        facts = sources.facts_of(name)
        if not facts.has_balance:
            continue
        if (last := BalanceNote(connection(), name).last()) is not None:
            low = facts.warn_below is not None and last.amount < facts.warn_below
            found.append(SourceBalance(name, facts.currency, last.amount, last.at, low))
    return found


def ask_after(job_id: int, now: datetime) -> None:
    """Ask the source of a job for its balance, if it can be asked and that is an hour ago. Its failure is no matter."""
    if not any(sources.facts_of(name).has_balance for name in sources.names()):
        return
    name = db.session.scalar(select(ScrapingJob.source).where(ScrapingJob.id == job_id)) or ""
    db.session.commit()  # no transaction is open during the request
    try:
        source = sources.get(name)
        ask = getattr(source, "ask_balance", None)
        if ask is None:
            return
        last = BalanceNote(connection(), name).last()
        if last is None or now - last.at >= ASKED_EVERY:
            ask()
    except (sources.UnknownSource, RedisError):
        return
    except Exception as error:  # whatever its source does, the file is done
        log.warning("the balance is not known", source=name, error=type(error).__name__)


def warn(now: datetime) -> Iterator[str]:
    """Write the warnings that are due, and yield whose they are. Commits."""
    for one in known(now):
        if one.is_low:
            facts: dict[str, Any] = {"source": one.source, "amount": str(one.amount), "currency": one.currency}
            # A new month, or a balance that has been topped up and is low again in another one, is another warning.
            if send.money_low(f"balance.{one.source}.{month_of(now)}", facts, now):
                yield one.source
    month = month_of(now)
    for cap in all_caps(month):
        if cap.amount and cap.used * 100 >= cap.amount * NEAR:
            scope = str(cap.scope or CapScope.PORTAL)
            facts = {"cap": cap.amount, "used": cap.used, "currency": cap.currency, "scope": scope, "whose": cap.whose}
            if send.money_low(f"cap.{scope}.{cap.whose}.{cap.currency}.{cap.amount}.{month}", facts, now):
                yield scope
    db.session.commit()
