"""Keeps whatever was written into Redis from stopping a worker: it is removed, logged once, and the worker goes on.

The database is the truth, so anything in Redis may be deleted: the next sweep pushes again what still waits. RQ's own
worker ends at an id or a message that it cannot read, at a key of another type, at `rq suspend` and at commands from
the network, and a worker that ends at each start never comes back. It must not know what a message does.
"""

import time
from typing import Any

import structlog
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.exceptions import StopRequested
from rq.job import Job

from portal.jobs.dispatch import remove_wrong_types, types_of_queue

log = structlog.get_logger(__name__)

WAIT_SECONDS = 0.5  # between tries, so that a Redis that refuses everything does not keep a core busy


class GuardedWorker(Worker):
    """RQ's worker, which nothing in Redis can end or suspend."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._seen: set[str] = set()  # the kinds of errors that were logged

    def repair(self, error: Exception) -> None:
        """Log the first error of its kind, remove what the queue cannot hold, and wait a moment."""
        if (kind := type(error).__name__) not in self._seen:
            self._seen.add(kind)
            log.warning("what is in redis cannot be used; it is removed", error=repr(error)[:300])
        try:
            for queue in self.queues:
                remove_wrong_types(self.connection, {**types_of_queue(queue), self.key: b"hash"})
                self.connection.delete(queue.intermediate_queue_key)
        except (RedisError, OSError):
            pass  # it is away, or refuses every write: the next try comes in half a second
        time.sleep(WAIT_SECONDS)

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().bootstrap(*args, **kwargs)
        except RedisError as error:
            self.repair(error)
            super().bootstrap(*args, **kwargs)

    def dequeue_job_and_maintain_ttl(self, *args: Any, **kwargs: Any) -> tuple[Job, Queue] | None:
        while True:
            try:
                return super().dequeue_job_and_maintain_ttl(*args, **kwargs)
            except StopRequested:
                raise
            except Exception as error:  # whatever it is, a worker that ends looks up nothing
                self.repair(error)

    def run_maintenance_tasks(self) -> None:
        try:
            super().run_maintenance_tasks()
        except StopRequested:
            raise
        except Exception as error:
            self.repair(error)

    def check_for_suspension(self, burst: bool) -> None:
        """Never suspend: a key in Redis must not stop the lookups. An admin pauses a source or a job instead."""

    def subscribe(self) -> None:
        """Listen to no command from Redis: RQ's can end the worker and kill the job that it runs."""

    def unsubscribe(self) -> None:
        """There is nothing to end."""
