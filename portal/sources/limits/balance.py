"""What a source last said of the credit that is left, for pages and for all workers. Knows no recipe."""

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from portal.clock import utcnow
from portal.redis_client import prefix_of

KEPT_SECONDS = 90 * 86_400


@dataclass(frozen=True)
class Balance:
    """The credit that was left at a moment."""

    amount: Decimal
    at: datetime


class BalanceNote:
    """The last balance of one source. Written once a second at most: every answer may tell it."""

    def __init__(self, redis: Redis | None, source: str) -> None:
        self._redis, self._key = redis, f"{prefix_of(redis)}balance:{source}"
        self._noted: Balance | None = None

    def note(self, amount: Decimal) -> None:
        """Note what an answer said."""
        now = utcnow()
        last = self._noted
        if last is not None and last.amount == amount:
            return
        if last is not None and (now - last.at).total_seconds() < 1 and amount > 0:
            return
        self._noted = Balance(amount, now)
        if self._redis is not None:
            with suppress(RedisError):
                self._redis.set(self._key, json.dumps([str(amount), now.isoformat()]), ex=KEPT_SECONDS)

    def last(self) -> Balance | None:
        """The last one that any worker noted; None if there is none, or Redis is away."""
        if self._redis is None:
            return self._noted
        try:
            value: Any = self._redis.get(self._key)
            if not value:
                return None
            amount, at = json.loads(value)
            return Balance(Decimal(amount), datetime.fromisoformat(at))
        except (RedisError, ValueError, TypeError, InvalidOperation):
            return None
