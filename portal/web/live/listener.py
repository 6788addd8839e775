"""Hears which jobs have changed: the one subscription of this process. It tries for ever to have it."""

import time
from collections.abc import Callable

import structlog
from redis.exceptions import RedisError

from portal.jobs.core.changes import channel, read
from portal.redis_client import quick_redis
from portal.web.live.hub import Hub

log = structlog.get_logger(__name__)

LISTEN_SECONDS = 1.0  # for one message; then it looks whether the hub was closed
PING_EVERY = 10  # silences; a connection that is only half there is found out by it
LONGEST_PAUSE = 15.0


def listen(hub: Hub, url: str, prefix: str, is_closed: Callable[[], bool]) -> None:
    """Pass on every change to the hub, until it is closed."""
    pause = 0.5
    while not is_closed():
        redis = quick_redis(url, prefix)
        try:
            with redis.pubsub(ignore_subscribe_messages=False) as subscription:
                subscription.subscribe(channel(redis))
                silences = 0
                while not is_closed():
                    message = subscription.get_message(timeout=LISTEN_SECONDS)
                    if message is None:
                        silences += 1
                        if silences % PING_EVERY == 0:
                            subscription.ping()
                        if silences > 3 * PING_EVERY:
                            raise ConnectionError("no answer to a ping")
                        continue
                    silences = 0
                    if message["type"] == "subscribe":
                        hub.heard_all(True)
                        pause = 0.5
                    elif message["type"] == "message":
                        hub.heard(read(message["data"]))
        except (RedisError, OSError) as error:
            if hub.hears:
                log.warning("redis is away; open pages follow the database", error=str(error))
            hub.heard_all(False)
            time.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)
        finally:
            redis.close()
