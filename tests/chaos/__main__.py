"""`make chaos`: a storm over the program as it is, which must pass, and one over the unfenced mutant, which must fail;
on SQLite first, then on PostgreSQL. Before them, a kill -9 in the middle of a file at each provider of the shelf, half
of them on each database.

CHAOS_FAULTS (200; half of them on each database), CHAOS_SEED (drawn and printed), CHAOS_JOBS (about a third of the
faults), CHAOS_ON ("sqlite postgresql"). Ends with 0 when every promise held and the mutant was caught, else with 1.
"""

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack

from bench.measure import going_first
from tests.chaos import judging, rescue, shelf, watching
from tests.chaos.faults import OVERTAKING
from tests.chaos.storm import CONCURRENCY, LOOKUP_SECONDS, Storm, storm
from tests.support.postgresql import PostgresServer, postgres_programs, postgres_server
from tests.support.preloaded import Preloaded, preloaded
from tests.support.processes import write_in_memory

DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}

MUTANT_TRIES = 3
RESCUE_ROUNDS = 3


def say(*words: object) -> None:
    print(*words, flush=True)


def line(name: str, value: object) -> None:
    say(f"  {name:<44}{value}")


def the_program(forks: Preloaded, seed: int, faults: int, jobs: int, postgresql: PostgresServer | None) -> bool:
    with storm(forks, seed, jobs, postgresql) as under:
        under.blow(faults)
        under.settle(jobs)
        repeated = judging.repeats(under.world, CONCURRENCY, LOOKUP_SECONDS)
        table(under, repeated)
        letters = Counter(str(message["Message-ID"]) for message in under.mail.messages)
        broken = judging.verdict(under.world, repeated, under.visitor, letters, under.faults.senders_killed)
        if sum(under.faults.done.values()) < faults:
            broken.append(f"only {sum(under.faults.done.values())} of {faults} faults in the time allowed")
        if not under.settled:
            broken.append(f"not every one of at least {jobs} jobs was final after {under.settle_seconds:.0f} s")
        for sentence in broken:
            say("  BROKEN:", sentence)
        say("  every promise held" if not broken else f"  {len(broken)} promises broken")
        return not broken


def table(under: Storm, repeated: judging.Repeats) -> None:
    ends = dict(under.world.query('SELECT "end", count(*) FROM attempts GROUP BY "end"'))
    every = judging.jobs(under.world)
    kinds = Counter(job.kind for job in every)
    rows = under.world.query("SELECT count(*) FROM cells")[0][0]
    notices = under.world.query("SELECT count(*) FROM notices")[0][0]
    for name, count in sorted(under.faults.done.items(), key=lambda done: -done[1]):
        line(f"fault: {name}", count)
    line("faults", sum(under.faults.done.values()))
    line("jobs", f"{len(every)} ({', '.join(f'{count} {kind}' for kind, count in kinds.most_common())})")
    line("files uploaded at the pages, started", f"{len(under.visitor.uploaded)}, {len(under.visitor.started)}")
    line("pages that did not come", under.visitor.troubles)
    line("rows", rows)
    line("attempts", sum(ends.values()))
    line("rescues (lost, taken back by the sweep)", ends.get("lost", 0))
    line("drains (handed back on SIGTERM)", ends.get("handed_back", 0))
    line("frozen, overtaken and woken", under.faults.overtaken)
    line("answers by an older attempt after a newer", watching.late_answers(under.world))
    line("rows answered twice", watching.answered_twice(under.world))
    line("notices, letters that arrived", f"{notices}, {len(under.mail.messages)}")
    line("extra lookups where no number is at fault", f"{repeated.extra} after {repeated.lost} lost attempts")
    line("  for each (at most)", f"{repeated.each:.1f} ({repeated.may_be / max(1, repeated.lost):.0f})")
    line("seconds of storm, of settling", f"{under.seconds:.0f}, {under.settle_seconds:.0f}")


def the_mutant(forks: Preloaded, seed: int, faults: int, postgresql: PostgresServer | None) -> bool:
    """Whether the same harness goes red when the fence is taken out. Fewer files than workers and patient workers: a
    frozen attempt has to be overtaken, also on a slow machine."""
    given = {"MUTANT": "nofence", "CLIENT_AT_ONCE": "3", "SILENCE_SECONDS": "60"}
    for again in range(MUTANT_TRIES):
        with storm(forks, seed + again, 20, postgresql, pages=False, **given) as under:
            under.faults.only = OVERTAKING
            under.blow(faults, enough=lambda: watching.late_answers(under.world) > 0)
            answers, beats = watching.late_answers(under.world), watching.late_beats(under.world)
            line(f"seed {seed + again}: faults until it was caught", sum(under.faults.done.values()))
            line("frozen, overtaken and woken", under.faults.overtaken)
            line("answers by an older attempt after a newer", answers)
            line("beats without the job", beats)
            if answers or beats:
                say("  the unfenced mutant is caught")
                return True
    say("  BROKEN: the unfenced mutant was not caught: this harness proves nothing")
    return False


def work_goes_on(forks: Preloaded, seed: int, kills: int, postgresql: PostgresServer | None) -> bool:
    for _ in range(RESCUE_ROUNDS):
        with going_first():
            measured = rescue.ratios(forks, kills, seed, postgresql)
        line("kill -9 of a worker to its job's next row", ", ".join(f"{ratio:.2f}" for ratio in sorted(measured)))
        line("  of lease + interval, at most", rescue.RATIO)
        if max(measured) <= rescue.RATIO:
            return True
        say("  too late; again, as a busy machine makes it late too")
    say("  BROKEN: work went on too late, each time")
    return False


def the_shelf(forks: Preloaded, seed: int, names: Sequence[str], postgresql: PostgresServer | None) -> bool:
    """Whether a file at each of these providers outlives the kill of its worker."""
    broken = shelf.kills(forks, random.Random(seed), names, postgresql)
    for sentence in broken:
        say("  BROKEN:", sentence)
    line("providers", f"{len(names)} ({', '.join(sorted(names))})")
    return not broken


def on(database: str, forks: Preloaded, seed: int, faults: int, jobs: int, names: Sequence[str]) -> bool:
    """Do all of it on one database; `names` are the providers whose turn it is."""
    with ExitStack() as stack:
        # With synchronous_commit: an answer that PostgreSQL has confirmed has to outlast its own kill.
        server = stack.enter_context(postgres_server()) if database == "postgresql" else None
        name = DATABASES[database]
        say(f"A kill -9 in the middle of a file at each provider of the shelf, on {name}:")
        outlived = the_shelf(forks, seed, names, server)
        say(f"The program on {name}:")
        held = the_program(forks, seed, faults, jobs, server)
        say(f"Work goes on, on {name}:")
        goes_on = work_goes_on(forks, seed, 2 if faults < 50 else 6, server)
        say(f"The mutant without its fence, on {name}:")
        caught = the_mutant(forks, seed, max(60, faults // 2), server)
    return outlived and held and goes_on and caught


def main() -> int:
    faults = int(os.environ.get("CHAOS_FAULTS") or 200)
    seed = int(os.environ.get("CHAOS_SEED") or random.randrange(10**6))
    wanted = (os.environ.get("CHAOS_ON") or " ".join(DATABASES)).split()
    if "postgresql" in wanted and postgres_programs() is None:
        say("PostgreSQL is not on this machine: its half of the faults is left out")
        if os.environ.get("CI") == "true":
            return 1
        wanted.remove("postgresql")
    faults = -(-faults // len(wanted))
    jobs = -(-int(os.environ.get("CHAOS_JOBS") or 0) // len(wanted)) or max(6, faults * 3 // 10)
    write_in_memory()
    begun = time.monotonic()
    say(f"CHAOS_SEED={seed}: {faults} faults and {jobs} jobs or more on each of {', '.join(wanted)}")
    kills = min(int(os.environ.get("SHELF_KILLS") or len(shelf.NAMES)), len(shelf.NAMES))
    names = random.Random(seed).sample(shelf.NAMES, kills)
    with preloaded() as forks:
        held = [
            on(database, forks, seed, faults, jobs, names[turn :: len(wanted)]) for turn, database in enumerate(wanted)
        ]
    say(f"{time.monotonic() - begun:.0f} s; CHAOS_SEED={seed}")
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
