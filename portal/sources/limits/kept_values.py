"""Values that a source gave for a while, such as an access token: shared by all workers of all machines, and renewed by
one of them while the others wait.

They are kept in Redis, encrypted, and in the process's memory. Knows no recipe and no request: `make` asks for them.

Where its promise ends: with Redis away, or without a cipher, each process keeps its own.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4

import structlog
from redis import Redis
from redis.exceptions import LockError, RedisError

from portal.causes import CauseCode
from portal.clock import utcnow
from portal.redis_client import prefix_of
from portal.sources.base import SourceBusy
from portal.sources.limits.rate_limiter import WaitInterrupted

log = structlog.get_logger(__name__)

ASK_SECONDS = 0.05  # between two looks of a worker that waits for another one to renew them
SPARE_SECONDS = 10.0  # beside what `make` may take, until a worker that renews them counts as dead


class Cipher(Protocol):
    """As `portal.sources.cipher`."""

    def encrypt(self, name: str, value: str) -> str: ...

    def decrypt(self, name: str, token: str) -> str | None: ...


@dataclass
class KeptValue:
    """What was given at one time. `until` is a moment (POSIX). `has_worked`: a request with it was not refused."""

    values: Mapping[str, str]
    cookies: tuple[Mapping[str, Any], ...]
    until: float
    id: str = field(default_factory=lambda: uuid4().hex)
    has_worked: bool = False

    @property
    def is_valid(self) -> bool:
        return self.until > utcnow().timestamp()


class KeptValues:
    """The kept values of one source, by a name for each. One object serves all threads of a process."""

    def __init__(self, redis: Redis | None, source: str, cipher: Cipher | None) -> None:
        self._redis = redis if cipher is not None else None
        self._cipher = cipher
        self._prefix = f"{prefix_of(redis)}kept:{source}:"
        self._memory: dict[str, KeptValue] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(
        self, name: str, unlike: str, make: Callable[[], KeptValue], seconds: float, stop: Callable[[], bool]
    ) -> KeptValue:
        """The present value; one that `make` gives if there is none, or only that with the id `unlike`. `seconds`: how
        long `make` may take. Raises what `make` raises, WaitInterrupted, and SourceBusy when another worker takes too
        long."""
        known = self._memory.get(name)
        if known is not None and known.id != unlike and known.is_valid:
            return known
        until = time.monotonic() + seconds + SPARE_SECONDS
        own = self._own_lock(name)
        while not own.acquire(timeout=ASK_SECONDS):  # one thread of each process asks the others
            self._check(stop, until)
        try:
            while True:
                known = self._known(name, unlike)
                if known is not None:
                    return known
                with self._renewing(name, seconds + SPARE_SECONDS) as renewing:
                    if renewing.is_mine:
                        known = self._known(name, unlike) or self._keep(name, make())
                        return known
                time.sleep(ASK_SECONDS)
                self._check(stop, until)
        finally:
            own.release()

    def _known(self, name: str, unlike: str) -> KeptValue | None:
        for known in (self._memory.get(name), self._read(name)):
            if known is not None and known.id != unlike and known.is_valid:
                self._memory[name] = known
                return known
        return None

    def _keep(self, name: str, made: KeptValue) -> KeptValue:
        self._memory[name] = made
        seconds = made.until - utcnow().timestamp()
        if self._redis is not None and self._cipher is not None and seconds > 0:
            plain = json.dumps([made.id, made.values, made.cookies, made.until])
            with suppress(RedisError):
                self._redis.set(self._prefix + name, self._cipher.encrypt(name, plain), px=max(1, int(seconds * 1000)))
        return made

    def _read(self, name: str) -> KeptValue | None:
        if self._redis is None or self._cipher is None:
            return None
        try:
            token: Any = self._redis.get(self._prefix + name)
        except RedisError:
            return None
        plain = self._cipher.decrypt(name, bytes(token).decode(errors="replace")) if token else None
        if plain is None:
            return None
        try:
            id_, values, cookies, until = json.loads(plain)
            return KeptValue(values, tuple(cookies), float(until), id_, has_worked=True)
        except (ValueError, TypeError):
            return None

    def _own_lock(self, name: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(name, threading.Lock())

    def _renewing(self, name: str, seconds: float) -> "_Renewing":
        return _Renewing(self._redis, f"{self._prefix}{name}:renewing", seconds)

    @staticmethod
    def _check(stop: Callable[[], bool], until: float) -> None:
        if stop():
            raise WaitInterrupted
        if time.monotonic() > until:
            raise SourceBusy(CauseCode.SOURCE_BUSY, SPARE_SECONDS)


class _Renewing:
    """A lock of all workers; each has it for itself when Redis is away."""

    def __init__(self, redis: Redis | None, key: str, seconds: float) -> None:
        self._lock = redis.lock(key, timeout=seconds, thread_local=False) if redis is not None else None
        self.is_mine = False

    def __enter__(self) -> "_Renewing":
        try:
            self.is_mine = self._lock is None or bool(self._lock.acquire(blocking=False))
        except RedisError:
            self._lock, self.is_mine = None, True
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_mine and self._lock is not None:
            with suppress(LockError, RedisError):
                self._lock.release()
