"""A worker that has nothing to do waits at Redis, and is there when a message comes."""

from pathlib import Path

from rq.serializers import JSONSerializer

from portal.jobs.dispatch import queue
from portal.jobs.worker.rq_worker import PortalWorker, wait_for_redis
from tests.support.cast import make_app


def test_an_idle_worker_keeps_its_connection(tmp_path: Path, valkey: str, usual_database: dict[str, str]) -> None:
    """Its connection must not time out before the worker itself ends its wait."""
    with make_app(tmp_path, REDIS_URL=valkey, **usual_database).app_context():
        redis = queue("scrape").connection
        wait_for_redis(redis, lambda: None)
        worker = PortalWorker([queue("scrape")], connection=redis, serializer=JSONSerializer, worker_ttl=30)
        used = redis.connection_pool.get_connection()
        try:
            assert used.socket_timeout is None or used.socket_timeout > worker.dequeue_timeout
        finally:
            redis.connection_pool.release(used)
            redis.close()
