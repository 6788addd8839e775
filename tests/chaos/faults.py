"""The faults: each is one thing that goes wrong with a real process or with Redis, without asking anybody."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from redis.exceptions import RedisError

from tests.support.world import Process, World, gone, send

CREW = {"scrape": 4, "sweep": 1, "scheduler": 2, "client": 1}
OVERTAKEN_SECONDS = 15.0  # how long a frozen horse waits at most for another attempt


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
    done: Counter[str] = field(default_factory=Counter)
    frozen: list[Frozen] = field(default_factory=list)
    told: set[int] = field(default_factory=set)  # workers that were told to stop, and have not left yet
    overtaken: int = 0  # frozen horses that woke when another attempt had their job
    later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def inject(self) -> None:
        """One fault; one that finds nothing to break is drawn again."""
        names = list(WEIGHTS)
        for _ in range(20):
            name = self.draw.choices(names, [WEIGHTS[name] for name in names])[0]
            if getattr(self, "_" + name.replace(" ", "_").replace("-", ""))():
                self.done[name] += 1
                return

    def keep_up(self) -> None:
        """What supervisor does, and the clock: restart what has ended, wake what is due, bring Redis back."""
        now = time.monotonic()
        for due in [due for due in self.later if due[0] <= now]:
            self.later.remove(due)
            due[1]()
        for horse in list(self.frozen):
            taken = self.world.job(horse.job_id, "attempt") > horse.attempt
            if gone(horse.pid) or now >= horse.until or (horse.worst and taken):
                self.overtaken += taken and not gone(horse.pid)
                send(horse.pid, signal.SIGCONT)
                self.frozen.remove(horse)
        self.world.processes = [process for process in self.world.processes if process.alive]
        for role, count in CREW.items():
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
        awake = [pid for pid in awake if pid not in {horse.pid for horse in self.frozen}]
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

    def _sigterm_worker(self) -> bool:
        return self._kill_busy(signal.SIGTERM)

    def _freeze_horse(self) -> bool:
        horse = self._horse()
        held = self.world.query(
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

    def _redis_full(self) -> bool:
        if not self._redis_says("CONFIG", "SET", "maxmemory", 1):
            return False
        room = time.monotonic() + self.draw.uniform(0.5, 1.5)
        self.later.append((room, lambda: self._redis_says("CONFIG", "SET", "maxmemory", 0) and None))
        return True


WEIGHTS = {
    "kill-9 worker": 3.0,
    "kill-9 horse": 4.0,
    "kill-9 sweep worker": 1.0,
    "kill-9 scheduler": 1.0,
    "kill-9 client": 1.0,
    "kill-9 redis": 1.5,
    "freeze horse": 4.0,
    "sigterm worker": 2.0,
    "flushall": 1.5,
    "redis restart": 1.0,
    "redis full": 1.0,
}
