"""Which numbers an attempt has sent to a priced source and not settled yet, in memory that outlives its process.

A worker makes the journal before it forks, and reads it when the fork is gone, whatever ended it: a number is marked a
moment before its question is sent, so what is not marked was not asked about. It has numbers of the ledger, by their
`no`, and must not know a source or the database.
"""

import mmap
import struct

PLACES = 1 << 22  # numbers of one job that have a place; pages of memory that nobody touches take none
HEADER = struct.Struct("QQQQ")  # job, attempt, token, the greatest place in use
MOST_TIMES = 255


class AskJournal:
    """The journal of one attempt after the other. `begin` and `end` frame each."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, HEADER.size + PLACES)
        self._greatest = 0

    def begin(self, job_id: int, attempt: int, token: int) -> None:
        """Begin with nothing marked."""
        self._wipe()
        HEADER.pack_into(self._memory, 0, job_id, attempt, token, 0)

    def mark(self, no: int, times: int) -> None:
        """Note that this number has been asked about so often without being settled; 0: it is settled. The last place
        stands for all numbers that have none of their own."""
        place = min(no, PLACES - 1)
        if place > self._greatest:
            self._greatest = place
            struct.pack_into("Q", self._memory, 24, place)
        self._memory[HEADER.size + place] = min(times, MOST_TIMES)

    def marked(self) -> dict[int, int]:
        """The numbers that are not settled, and how often each has been asked about."""
        greatest = HEADER.unpack_from(self._memory, 0)[3]
        places = self._memory[HEADER.size : HEADER.size + greatest + 1]
        return {no: times for no, times in enumerate(places) if times}

    def of(self) -> tuple[int, int, int] | None:
        """The job, attempt and token whose journal it is; None: it has ended, or none has begun."""
        job_id, attempt, token, _ = HEADER.unpack_from(self._memory, 0)
        return (job_id, attempt, token) if job_id else None

    def end(self) -> None:
        """Note that the attempt's reservation is closed."""
        HEADER.pack_into(self._memory, 0, 0, 0, 0, 0)

    def _wipe(self) -> None:
        greatest = HEADER.unpack_from(self._memory, 0)[3] or self._greatest
        self._memory[HEADER.size : HEADER.size + greatest + 1] = bytes(greatest + 1)
        self._greatest = 0
