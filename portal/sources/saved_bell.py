"""A bell in Redis that says to every process that a recipe or a secret was just saved: each asks at its next look then,
and not only in a minute. Nothing is lost without it."""

from contextlib import suppress

from redis import Redis, RedisError

from portal.redis_client import prefix_of

KEY = "recipes:saved"


class SavedBell:
    """The bell as one process hears it. `redis` is None where there is none."""

    def __init__(self, redis: Redis | None) -> None:
        self._redis = redis
        self.key = f"{prefix_of(redis)}{KEY}" if redis is not None else KEY
        self._heard: object = self._count()

    def ring(self) -> None:
        """Say that something was saved."""
        if self._redis is not None:
            with suppress(RedisError):
                self._redis.incr(self.key)

    def has_rung(self) -> bool:
        """Whether it was rung since this was asked last."""
        count = self._count()
        rung, self._heard = count is not None and count != self._heard, count
        return rung

    def _count(self) -> object:
        if self._redis is not None:
            with suppress(RedisError):
                return self._redis.get(self.key)
        return None
