"""The faults: each is one thing that goes wrong with a process, a server or the machine, without asking anybody."""

import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

import psycopg
from redis.exceptions import RedisError

from tests.support.full_disk import full_disk
from tests.support.postgresql import PostgresServer
from tests.support.smtp_server import SLOW, SmtpServer
from tests.support.world import Process, World, gone, send

CREW = {"scrape": 4, "sweep": 1, "scheduler": 2, "intake": 1, "web": 1, "client": 1}
WITHOUT_PAGES = {role: count for role, count in CREW.items() if role not in ("intake", "web")}
PORTAL = ("scrape", "sweep", "scheduler", "intake", "web")  # whose disk it is
OVERTAKEN_SECONDS = 45.0  # how long a frozen horse waits at most for another attempt, if its worker lets it


@dataclass
class Frozen:
    """A horse that was stopped, and when to wake it."""

    pid: int
    job_id: int
    attempt: int
    until: float
    worst: bool  # wake it the moment that another attempt has its job, before that one saves


@dataclass
class Faults:
    """Injects faults into a world, and puts right what an operator or supervisor would put right."""

    world: World
    draw: random.Random
    lease_seconds: float
    mail: SmtpServer
    postgresql: PostgresServer | None = None
    only: tuple[str, ...] = ()  # the kinds of faults; empty: all
    crew: Mapping[str, int] = field(default_factory=lambda: CREW)
    done: Counter[str] = field(default_factory=Counter)
    frozen: list[Frozen] = field(default_factory=list)
    hung: list[int] = field(default_factory=list)  # horses that were stopped for good
    told: set[int] = field(default_factory=set)  # workers that were told to stop, and have not left yet
    locked_until: float = 0.0
    overtaken: int = 0  # frozen horses that woke when another attempt had their job
    later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    @property
    def database_away(self) -> bool:
        return self.postgresql is not None and self.postgresql.process is None

    @property
    def senders_killed(self) -> int:
        """How many processes that send notices have died without a word."""
        return self.done["kill-9 scheduler"]

    def inject(self) -> None:
        """One fault; one that finds nothing to break is drawn again."""
        names = list(self.only or WEIGHTS)
        for _ in range(20):
            name = self.draw.choices(names, [WEIGHTS[name] for name in names])[0]
            if getattr(self, "_" + name.replace(" ", "_").replace("-", ""))():
                self.done[name] += 1
                return

    def keep_up(self) -> None:
        """What supervisor does, and the clock: restart what has ended, wake what is due, bring servers back."""
        now = time.monotonic()
        for due in [due for due in self.later if due[0] <= now]:
            self.later.remove(due)
            due[1]()
        for horse in list(self.frozen):
            taken = not self.database_away and self.world.job(horse.job_id, "attempt") > horse.attempt
            if gone(horse.pid) or now >= horse.until or (horse.worst and taken):
                self.overtaken += taken and not gone(horse.pid)
                send(horse.pid, signal.SIGCONT)
                self.frozen.remove(horse)
        self.world.processes = [process for process in self.world.processes if process.alive]
        for role, count in self.crew.items():
            for _ in range(count - len(self.world.of(role))):
                self.world.start(role)

    def calm(self) -> None:
        """The storm is over: nothing stays frozen, away or full."""
        for horse in self.frozen:
            horse.until = 0
        self.later = [(0, action) for _, action in self.later]
        self.keep_up()

    # ── what goes wrong ─────────────────────────────────────────────────────────────────────────────────────────

    def _one(self, role: str) -> Process | None:
        crew = self.world.of(role)
        return self.draw.choice(crew) if crew else None

    def _kill(self, role: str, how: signal.Signals = signal.SIGKILL) -> bool:
        process = self._one(role)
        if process:
            process.kill(how)
        return process is not None

    def _kill_busy(self, how: signal.Signals = signal.SIGKILL) -> bool:
        busy = [worker for worker in self.world.of("scrape") if worker.horses() and worker.pid not in self.told]
        worker = self.draw.choice(busy) if busy else None
        if worker:
            self.told.add(worker.pid)
            worker.kill(how)
        return worker is not None

    def _horse(self) -> int | None:
        awake = [pid for worker in self.world.of("scrape") for pid in worker.horses()]
        asleep = {*self.hung, *(horse.pid for horse in self.frozen)}
        awake = [pid for pid in awake if pid not in asleep]
        return self.draw.choice(awake) if awake else None

    def _kill9_worker(self) -> bool:
        return self._kill_busy()

    def _kill9_horse(self) -> bool:
        horse = self._horse()
        if horse:
            send(horse, signal.SIGKILL)
        return horse is not None

    def _kill9_sweep_worker(self) -> bool:
        return self._kill("sweep")

    def _kill9_scheduler(self) -> bool:
        return self._kill("scheduler")

    def _kill9_client(self) -> bool:
        return self._kill("client")

    def _kill9_intake(self) -> bool:
        return self._kill("intake")

    def _kill9_web(self) -> bool:
        return self._kill("web")

    def _kill9_web_worker(self) -> bool:
        workers = [pid for process in self.world.of("web") for pid in process.horses()]
        if workers:
            send(self.draw.choice(workers), signal.SIGKILL)
        return bool(workers)

    def _sigterm_web(self) -> bool:
        return self._kill("web", signal.SIGTERM)

    def _sigterm_worker(self) -> bool:
        return self._kill_busy(signal.SIGTERM)

    def _freeze_horse(self) -> bool:
        horse = None if self.database_away else self._horse()
        held = horse and self.world.query(
            "SELECT id, attempt FROM scraping_jobs WHERE status = 'processing' AND worker LIKE ?", f"%:{horse}"
        )
        if not horse or not held or len(self.frozen) >= 2:
            return False
        send(horse, signal.SIGSTOP)
        worst = self.draw.random() < 0.5
        stays = OVERTAKEN_SECONDS if worst else self.lease_seconds * self.draw.uniform(1.5, 3)
        self.frozen.append(Frozen(horse, *held[0], time.monotonic() + stays, worst))
        return True

    def _redis_goes(self, how: signal.Signals) -> bool:
        if self.world.valkey.process is None:
            return False
        self.world.valkey.stop(how)
        self.later.append((time.monotonic() + self.draw.uniform(0.1, 2), self.world.valkey.start))
        return True

    def _kill9_redis(self) -> bool:
        return self._redis_goes(signal.SIGKILL)

    def _redis_restart(self) -> bool:
        return self._redis_goes(signal.SIGTERM)

    def _redis_says(self, *words: object) -> bool:
        try:
            self.world.redis.execute_command(*words)
        except (RedisError, OSError):
            return False
        return True

    def _flushall(self) -> bool:
        return self._redis_says("FLUSHALL")

    def _hang_horse(self) -> bool:
        """Nobody wakes it: its worker has to end it."""
        horse = self._horse()
        if horse is None or sum(not gone(pid) for pid in self.hung) >= 2:
            return False
        self.hung.append(horse)
        send(horse, signal.SIGSTOP)
        return True

    def _until(self, seconds: float, end: Callable[[], object]) -> None:
        self.later.append((time.monotonic() + seconds, lambda: end() and None))

    def _database_locked(self) -> bool:
        """Somebody else writes for longer than a lease, as a backup may."""
        if time.monotonic() < self.locked_until:  # to wait for our own lock would keep everything else waiting
            return False
        connection = self._lock_postgresql() if self.postgresql else self._lock_sqlite()
        seconds = self.lease_seconds * self.draw.uniform(0.5, 2.5) if connection else 0.0
        self.locked_until = time.monotonic() + seconds + 1
        if connection is None:
            return False
        self._until(seconds, connection.close)
        return True

    def _lock_postgresql(self) -> psycopg.Connection | None:
        if self.database_away:
            return None
        connection = psycopg.connect(self.world.postgresql_url)
        try:
            connection.execute("SET lock_timeout = '2s'")
            connection.execute("LOCK TABLE scraping_jobs, numbers, notices IN EXCLUSIVE MODE")
        except psycopg.OperationalError:  # somebody has held a row for long
            connection.close()
            return None
        return connection

    def _lock_sqlite(self) -> sqlite3.Connection | None:
        connection = sqlite3.connect(self.world.database, timeout=2, isolation_level=None)
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:  # all writers were faster
            connection.close()
            return None
        return connection

    def _postgresql_goes(self, how: signal.Signals) -> bool:
        if self.postgresql is None or self.database_away:
            return False
        self.postgresql.stop(how)
        self._until(self.draw.uniform(0.1, 3), self.postgresql.start)
        return True

    def _kill_postgresql(self) -> bool:
        return self._postgresql_goes(signal.SIGQUIT)

    def _restart_postgresql(self) -> bool:
        return self._postgresql_goes(signal.SIGINT)

    def _cut_connections(self) -> bool:
        """An admin, or a proxy between, ends some connections of the portal, or all."""
        if self.postgresql is None or self.database_away:
            return False
        ended = self.world.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND random() < ?",
            self.draw.choice((0.3, 1)),
        )
        return bool(ended)

    def _slow_mail(self) -> bool:
        """The mail server takes the next message, and thinks about it for longer than a program likes to wait."""
        if self.mail.slow_now or self.mail.script:
            return False
        self.mail.script.append(SLOW)
        return True

    def _disk_full(self) -> bool:
        stack = ExitStack()
        crew = [process for role in PORTAL for process in self.world.of(role)]
        pids = [process.pid for process in crew] + [horse for process in crew for horse in process.horses()]
        try:
            stack.enter_context(full_disk(pids))
        except (OSError, ProcessLookupError):
            return False
        self._until(self.lease_seconds * self.draw.uniform(0.3, 1.5), stack.close)
        return True

    def _clock_steps(self) -> bool:
        """The machine's clock jumps, and is put right a little later."""
        self.world.clock.write_text(str(self.draw.choice((-1, 1)) * self.draw.uniform(0.5, 60)))
        self._until(self.draw.uniform(0.5, 2), lambda: self.world.clock.write_text("0"))
        return True

    def _redis_readonly(self) -> bool:
        """It becomes a copy of a server that is not there, as after a failover that went wrong."""
        if not self._redis_says("REPLICAOF", "127.0.0.1", "1"):
            return False
        self._until(self.draw.uniform(0.5, 2), lambda: self._redis_says("REPLICAOF", "NO", "ONE"))
        return True

    def _redis_evicts(self) -> bool:
        if not self._redis_says("CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", 1):
            return False
        quiet = ("CONFIG", "SET", "maxmemory", 0, "maxmemory-policy", "noeviction")
        self._until(self.draw.uniform(0.5, 1.5), lambda: self._redis_says(*quiet))
        return True

    def _redis_full(self) -> bool:
        if not self._redis_says("CONFIG", "SET", "maxmemory", 1):
            return False
        room = time.monotonic() + self.draw.uniform(0.5, 1.5)
        self.later.append((room, lambda: self._redis_says("CONFIG", "SET", "maxmemory", 0) and None))
        return True


WEIGHTS = {
    "kill-9 worker": 4.0,
    "kill-9 horse": 6.0,
    "kill-9 sweep worker": 1.0,
    "kill-9 scheduler": 1.0,
    "kill-9 client": 1.0,
    "kill-9 intake": 1.0,
    "kill-9 web": 1.0,
    "kill-9 web worker": 1.0,
    "sigterm web": 0.5,
    "kill-9 redis": 1.5,
    "freeze horse": 6.0,
    "sigterm worker": 2.0,
    "flushall": 1.5,
    "redis restart": 1.0,
    "redis full": 1.0,
    "redis read-only": 1.0,
    "redis evicts": 1.0,
    "hang horse": 2.0,
    "database locked": 2.0,
    "disk full": 1.5,
    "clock steps": 1.5,
    "slow mail": 2.0,
    "kill postgresql": 2.0,
    "restart postgresql": 1.5,
    "cut connections": 2.0,
}
# Those by which an attempt loses its job while it is alive: what the program without its fence does not survive.
OVERTAKING = ("freeze horse", "database locked")
