"""The Redis client: short time limits, and the prefix by which several portals can share one database.

Every key that the portal names itself begins with the prefix, as do the names of its queues and messages, from which RQ
makes its keys. It must not know what is stored.
"""

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry


class PortalRedis(Redis):
    """A client that knows its portal's prefix: empty, or a word and a dash."""

    key_prefix = ""


def quick_redis(url: str, prefix: str = "", *, seconds: float = 5) -> PortalRedis:
    """Return a client with short timeouts, because a page must not hang when Redis does: `seconds` for an answer, two
    at most to connect. It connects at first use."""
    redis: PortalRedis = PortalRedis.from_url(
        url,
        socket_timeout=seconds,
        socket_connect_timeout=min(2, seconds),
        retry=Retry(NoBackoff(), 1),
        # Else each new connection reads the library's version from its package, to tell the server: a worker's fork
        # would spend as long on that as on the SQL of a small file.
        driver_info=None,
    )  # type: ignore[assignment]
    redis.key_prefix = f"{prefix}-" if prefix else ""
    return redis


def prefix_of(redis: Redis | None) -> str:
    """Return the prefix of a client's keys."""
    return getattr(redis, "key_prefix", "")
