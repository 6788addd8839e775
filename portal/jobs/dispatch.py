"""Pushes messages to Redis that say "there is work", like a doorbell. Redis carries ids, and may lose them.

A message names one function of an exact list, in JSON. Somebody who can write to Redis cannot run other code through
it: not by a function's path, an instance or a callback. RQ's own retries, callbacks and webhooks are switched off.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from importlib import import_module
from typing import Any

import structlog
from flask import current_app
from redis import Redis
from redis.exceptions import RedisError, ResponseError
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import BaseWorker
from sqlalchemy import update

from portal.database import changed_rows, db
from portal.documents.models import Document
from portal.jobs.core.bulk_tables import Operation
from portal.jobs.models import ScrapingJob
from portal.redis_client import PortalRedis, prefix_of, quick_redis

log = structlog.get_logger(__name__)

QUEUES = ("intake", "scrape", "sweep")  # one kind of worker each
# How messages name a function. Not a module's path: after a move, messages waiting in Redis must still be accepted.
ROOM = "portal.tasks"
EARLIER_ROOM = "portal.jobs.tasks"  # in messages and schedules from before the rooms; accepted, never written
TASKS = "portal.jobs.worker.tasks"  # the module with the functions
# The only functions of TASKS that a message can name.
FUNCTIONS = frozenset({
    "compare_lists", "erase_number", "operate", "prepare_result", "read_document", "scrape", "sweep", "take_sample",
    "try_number",
})  # fmt: skip
# Seconds until RQ interrupts a task, and a minute later kills its fork. An attempt has none: a large file takes hours,
# and its lease, its time without progress and the watchdog end it. The sweep's limit is in its schedule.
TIME_LIMITS = {
    "read_document": 300,
    "prepare_result": 1800,
    "compare_lists": 1800,
    "try_number": 120,
    "take_sample": 120,
    "operate": 300,
    "erase_number": 1800,
    "scrape": -1,
}
KEPT_SECONDS = 60  # how long Redis keeps a finished message


class MessageRefused(Exception):
    """A message that names something that is not on the list."""


class Message(Job):
    """An RQ job that can only be one of ours."""

    def __init__(self, id: str | None = None, connection: Redis | None = None, serializer: Any = None) -> None:
        super().__init__(id, connection, JSONSerializer)

    @classmethod
    def create(cls, *args: Any, **kwargs: Any) -> Job:
        """As RQ's, but always in JSON: rq-scheduler, for one, passes no serializer."""
        return super().create(*args, **{**kwargs, "serializer": JSONSerializer})

    @property
    def func(self) -> Callable[..., Any]:
        room, _, name = (self.func_name or "").rpartition(".")
        if room not in (ROOM, EARLIER_ROOM) or name not in FUNCTIONS or self.instance is not None:
            raise MessageRefused(f"message {self.id} names what may not be named")
        return getattr(import_module(TASKS), name)

    success_callback = failure_callback = stopped_callback = property(lambda self: None)
    should_retry = property(lambda self: False)

    def send_webhooks(self, *args: Any, **kwargs: Any) -> None:
        """Send none: an address in Redis must not make the portal connect to it."""


def connection() -> PortalRedis:
    """Return the application's Redis."""
    redis: PortalRedis | None = current_app.extensions.get("redis")
    if redis is None:
        settings = current_app.config
        redis = current_app.extensions["redis"] = quick_redis(settings["REDIS_URL"], settings["REDIS_PREFIX"])
    return redis


def queue(name: str) -> Queue:
    """Return one of QUEUES."""
    redis = connection()
    return Queue(
        prefix_of(redis) + name, connection=redis, job_class=Message, serializer=JSONSerializer, default_timeout=-1
    )


def remove_wrong_types(redis: Redis, types: Mapping[str, bytes]) -> list[str]:
    """Delete the keys that hold another type than they should; return them. Raises RedisError."""
    wrong = [key for key, kind in types.items() if redis.type(key) not in (kind, b"none")]
    if wrong:
        redis.delete(*wrong)
    return wrong


def types_of_queue(queue: Queue) -> dict[str, bytes]:
    """Return the keys that every message of a queue goes through, with the type of each."""
    registries = [
        queue.started_job_registry, queue.finished_job_registry, queue.failed_job_registry,
        queue.deferred_job_registry, queue.scheduled_job_registry, queue.canceled_job_registry,
    ]  # fmt: skip
    return {
        queue.key: b"list",
        queue.intermediate_queue_key: b"list",
        Queue.redis_queues_keys: b"set",
        BaseWorker.redis_workers_keys: b"set",
        f"rq:workers:{queue.name}": b"set",
        f"rq:clean_registries:{queue.name}": b"string",
        **{registry.key: b"zset" for registry in registries},
    }


def job_message(job_id: int, attempt: int, generation: int) -> str:
    """Return the id of a job's message. Each push has its own generation, because RQ rejects an id that it has seen."""
    return f"sj-{job_id}-{attempt}-{generation}"


def push_job(job_id: int, now: datetime, seen_generation: int | None = None) -> bool:
    """Push a waiting job to the scrape workers. Call it after the commit; it commits on its own.

    False: the job no longer waits, another caller has pushed it (`seen_generation`), or Redis is away. Nothing is lost:
    the sweep pushes waiting jobs that are not in Redis.
    """
    guards = [ScrapingJob.id == job_id, *ScrapingJob.claimable(now)]
    if seen_generation is not None:
        guards.append(ScrapingJob.generation == seen_generation)
    statement = (
        update(ScrapingJob)
        .where(*guards)
        .values(generation=ScrapingJob.generation + 1, enqueued_at=now)
        .returning(ScrapingJob.attempt, ScrapingJob.generation)
    )
    row = db.session.execute(statement, execution_options={"synchronize_session": False}).one_or_none()
    db.session.commit()
    if row is None:
        return False
    pushed = _enqueue("scrape", "scrape", [job_id, row.attempt], job_message(job_id, row.attempt, row.generation))
    if not pushed:
        own = (ScrapingJob.id == job_id, ScrapingJob.generation == row.generation)
        changed_rows(update(ScrapingJob).where(*own).values(enqueued_at=None))
        db.session.commit()
    return pushed


def ring_to_join(job_id: int, attempt: int, now: datetime) -> bool:
    """Push a message that says that one more worker may join the attempt after number `attempt`. False: Redis is
    away."""
    return _enqueue("scrape", "scrape", [job_id, attempt], f"sj-{job_id}-{attempt}-join-{int(now.timestamp() * 1000)}")


def push_document(document_id: int, now: datetime) -> bool:
    """Push a document to the intake worker to be read. Call it after the commit; it commits on its own."""
    own = Document.id == document_id
    changed_rows(update(Document).where(own).values(enqueued_at=now))
    db.session.commit()
    pushed = _enqueue("intake", "read_document", [document_id], document_message(document_id, now))
    if not pushed:
        changed_rows(update(Document).where(own).values(enqueued_at=None))
        db.session.commit()
    return pushed


def push_trial(token: str) -> bool:
    """Push one number to try at a source to the intake worker, ahead of waiting documents. False: Redis is away."""
    return _enqueue("intake", "try_number", [token], f"try-{token}", at_front=True)


def push_sample(sample_id: int) -> bool:
    """Push one question of a recipe that is being written to the intake worker, as `push_trial` does."""
    return _enqueue("intake", "take_sample", [sample_id], f"sample-{sample_id}", at_front=True)


def push_operation(operation_id: int, now: datetime) -> bool:
    """Push a bulk operation to the sweep's worker. Call it after the commit; it commits on its own."""
    own = Operation.id == operation_id
    changed_rows(update(Operation).where(own).values(enqueued_at=now))
    db.session.commit()
    message = f"op-{operation_id}-{int(now.timestamp() * 1_000_000)}"
    pushed = _enqueue("sweep", "operate", [operation_id], message)
    if not pushed:
        changed_rows(update(Operation).where(own).values(enqueued_at=None))
        db.session.commit()
    return pushed


def push_erasure(order_id: int, now: datetime) -> bool:
    """Push an order to erase a number to the intake worker. False: Redis is away, and the sweep will push."""
    return _enqueue("intake", "erase_number", [order_id], f"erase-{order_id}-{int(now.timestamp() * 1_000_000)}")


def push_result(job_id: int, version: str) -> bool:
    """Push a large job whose result is to be prepared for its page to the intake worker, once for each version of its
    answers while it waits. False: Redis is away; the page asks again."""
    return _enqueue("intake", "prepare_result", [job_id], f"result-{job_id}-{version}")


def push_merge(merge_id: int, now: datetime) -> bool:
    """Push two lists that are to be compared to the intake worker, at most once in half a minute. False: Redis is away;
    the page asks again."""
    return _enqueue("intake", "compare_lists", [merge_id], f"merge-{merge_id}-{int(now.timestamp()) // 30}")


def document_message(document_id: int, enqueued_at: datetime) -> str:
    """Return the id of a document's message; the moment of the push makes it unique."""
    return f"doc-{document_id}-{int(enqueued_at.timestamp() * 1_000_000)}"


def queue_is_empty(name: str) -> bool:
    """Whether no message waits in this queue. False while Redis is away: the sweep will push."""
    try:
        return not connection().llen(queue(name).key)
    except (RedisError, OSError):
        return False


def in_queue(name: str, message: str) -> bool:
    """Whether a message still waits in Redis. Raises RedisError when Redis is away."""
    waiting = queue(name)
    return waiting.connection.lpos(waiting.key, prefix_of(waiting.connection) + message) is not None


def _enqueue(queue_name: str, function: str, args: list[Any], message: str, *, at_front: bool = False) -> bool:
    def push() -> None:
        queue(queue_name).enqueue_call(
            f"{ROOM}.{function}", args=args, job_id=prefix_of(connection()) + message, unique=True, at_front=at_front,
            timeout=TIME_LIMITS[function], result_ttl=KEPT_SECONDS, failure_ttl=KEPT_SECONDS,
        )  # fmt: skip

    try:
        try:
            push()
        except ResponseError:
            if not remove_wrong_types(connection(), types_of_queue(queue(queue_name))):
                raise
            push()
    except DuplicateJobError:
        return True
    except (RedisError, OSError) as error:
        log.warning("redis is away; the sweep will push", message=message, error=str(error))
        return False
    return True
