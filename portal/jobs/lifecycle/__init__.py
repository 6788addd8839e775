"""A job's verbs: the only writer of `status`.

Each verb is one guarded UPDATE. It returns the job when this caller made the move, and None when another caller was
first, the job has another status or the attempt is no longer the current one: losing is normal and changes nothing.
The event, the attempt's end and the notice are written in the same transaction. Verbs never commit; their callers
commit, and push to Redis only after that. `retries` has the rules of trying again.
"""

from portal.jobs.lifecycle.of_person import PersonVerbs
from portal.jobs.lifecycle.of_sweep import SweepVerbs
from portal.jobs.lifecycle.of_worker import WorkerVerbs
from portal.jobs.lifecycle.removal import Removal


class Lifecycle(WorkerVerbs, SweepVerbs, PersonVerbs, Removal):
    """The verbs of a job; `ScrapingJob` is their table."""


__all__ = ["Lifecycle"]
