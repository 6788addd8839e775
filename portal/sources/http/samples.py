"""A piece of an answer that could not be used, fit to be looked at: secrets blanked out, every telephone number but the
one that was asked for too, and clipped. It asks nobody, and keeps at most a few.

What looks like a number to it are seven digits or more, however they are spaced: an id may be blanked out as well,
which is the lesser harm.
"""

import json
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from portal.sources.http.response import SourceResponse
from portal.sources.recipes.placeholders import MASK, forms_of, masked

SAMPLES = 3  # of one attempt
CHARACTERS = 2000
LOOKED_AT = 20_000  # so many are cleaned before they are clipped, so that nothing is cut in two and missed
DIGITS = re.compile(r"\+?\d(?:[ ().\-/]{0,2}\d){6,}")


@dataclass(frozen=True)
class Sample:
    """One answer. `number` is whose it is in E.164, empty for an answer about several; `why` says what is wrong with
    it, as `sample_words` knows."""

    number: str
    status: int
    why: str
    body: str


class Samples:
    """What one conversation keeps; `secrets` are what the source was given. Safe for many threads."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = tuple(secrets)
        self._lock = threading.Lock()
        self._kept: list[Sample] = []

    def __len__(self) -> int:
        return len(self._kept)

    def from_(self, first: int) -> list[Sample]:
        """Those from a place on: what has come since."""
        with self._lock:
            return self._kept[first:]

    def take(self, reply: SourceResponse, why: str, number: str = "", where: Any = None) -> Sample | None:
        """Keep one more, unless there are enough or there is one just like it. `where` is the number's own item out of
        an answer for many."""
        if len(self._kept) >= SAMPLES:
            return None
        text = reply.text if not isinstance(where, dict | list) else json.dumps(where, ensure_ascii=False, indent=1)
        sample = Sample(number, reply.status, why, cleaned(text, number, self._secrets))
        with self._lock:
            if len(self._kept) >= SAMPLES or sample in self._kept:
                return None
            self._kept.append(sample)
        return sample


def cleaned(text: str, number: str, secrets: Iterable[str]) -> str:
    """A text without secrets and without the numbers of others, clipped."""
    forms = forms_of(number) if number else {}
    own = {form.lstrip("+0") for form in forms.values()}

    def blanked(match: re.Match[str]) -> str:
        return match[0] if re.sub(r"\D", "", match[0]).lstrip("0") in own else MASK

    # A NUL is none that PostgreSQL keeps.
    return DIGITS.sub(blanked, masked(text[:LOOKED_AT], secrets)).replace("\0", "")[:CHARACTERS]
