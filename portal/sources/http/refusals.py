"""Judges a refusal (401, 402, 403 …): does the source refuse all of us, or one number only?

One refusal proves neither, so the next question decides, asked alone and about another number. When that is refused
too, the source refuses us. When it is answered, the refusal was about its own number. Only a question that was sent
after the refusal had come back decides: answers that were on their way before say nothing about credit that has just
run out. Knows no request and no answer: a question is any value that tells it from others.
"""

import threading
from collections.abc import Hashable, Iterable


class Refusals:
    """What was refused in one session. Its methods may be called from many threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._moment = 0  # counts what was sent and what came back
        self._doubtful: dict[Hashable, int] = {}  # refused, and nothing sent later was answered; when it came back
        self._earlier: set[Hashable] = set()  # refused in an earlier session, and nothing was answered in this one
        self._own: set[Hashable] = set()  # refused, while another question that was sent later was answered
        # When it was certain that the source refuses us, until something sent later is answered: then a question of
        # its own is refused with all others, and that says nothing of it.
        self._certain_at: int | None = None

    def remember(self, questions: Iterable[Hashable], *, own: bool) -> None:
        """Take over what an earlier session had refused. `own`: the source has answered others since."""
        with self._lock:
            if own:
                self._own.update(questions)
            else:
                self._earlier.update(questions)

    def send(self) -> int:
        """Note that a question is sent. Returns its moment, for `answered` and `refused`."""
        with self._lock:
            return self._next()

    def answered(self, sent_at: int) -> None:
        """Note that the question sent at that moment was answered."""
        with self._lock:
            if self._certain_at is not None and self._certain_at < sent_at:
                self._certain_at = None
            cleared = [question for question, moment in self._doubtful.items() if moment < sent_at]
            self._own.update(cleared, self._earlier)
            self._earlier.clear()
            for question in cleared:
                del self._doubtful[question]

    def refused(self, question: Hashable, sent_at: int) -> bool:
        """Note that a question was refused. True: the source refuses us, as another one was refused just before."""
        with self._lock:
            if question in self._own:
                return self._certain_at is not None
            certain = any(other != question and moment < sent_at for other, moment in self._doubtful.items())
            self._doubtful.setdefault(question, self._next())
            if certain:
                self._certain_at = self._moment
            return certain

    def is_own(self, question: Hashable) -> bool:
        """Whether the source refuses this question and answers others."""
        with self._lock:
            return question in self._own and self._certain_at is None

    def _next(self) -> int:
        self._moment += 1
        return self._moment
