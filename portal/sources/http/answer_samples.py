"""Samples of responses that could not be used, safe to show: clipped, and with secrets and telephone numbers masked,
except the number that was looked up. Keeps at most a few for each attempt.

Seven digits or more count as a telephone number, however they are spaced. An id may be masked as well, which does less
harm than showing a number.
"""

import json
import re
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from portal.sources.http.response import SourceResponse
from portal.sources.recipes.placeholders import MASK, forms_of, masked

SAMPLES = 3  # of one attempt
CHARACTERS = 2000
MOST_MASKS = 256  # beside the secrets of the start
LONGEST_WHY = 200  # characters, as the database has room for
MASKED_CHARACTERS = 20_000  # masked before the text is clipped: a number that is cut in two would be missed
DIGITS = re.compile(r"\+?\d(?:[ ().\-/]{0,2}\d){6,}")


@dataclass(frozen=True)
class Sample:
    """One response. `number` is the number it is about, in E.164, empty for several; `why` says what is wrong with it,
    in a form that `words.sample_words` turns into a sentence."""

    number: str
    status: int
    why: str
    body: str


class Samples:
    """The samples of one session. `secrets` are the values to mask. Safe for many threads."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = tuple(secrets)
        self._more: deque[str] = deque(maxlen=MOST_MASKS)
        self._lock = threading.Lock()
        self._kept: list[Sample] = []

    def mask_also(self, secrets: Iterable[str]) -> None:
        """Mask these values too, from now on; of very many the last ones."""
        with self._lock:
            self._more.extend(one for one in secrets if one not in self._more)

    @property
    def masks(self) -> tuple[str, ...]:
        """The values that are masked."""
        with self._lock:
            return (*self._secrets, *self._more)

    def __len__(self) -> int:
        return len(self._kept)

    def since(self, first: int) -> list[Sample]:
        """The samples from this index on."""
        with self._lock:
            return self._kept[first:]

    def add(self, response: SourceResponse, why: str, number: str = "", content: Any = None) -> Sample | None:
        """Keep one more, and return it; None when there are enough or the same one is already there. `content` is the
        number's own item in a response about many."""
        if len(self._kept) >= SAMPLES:
            return None
        is_json = isinstance(content, dict | list)
        text = json.dumps(content, ensure_ascii=False, indent=1) if is_json else response.text
        sample = Sample(number, response.status, why[:LONGEST_WHY], cleaned(text, number, self.masks))
        with self._lock:
            if len(self._kept) >= SAMPLES or sample in self._kept:
                return None
            self._kept.append(sample)
        return sample


def cleaned(text: str, number: str, secrets: Iterable[str]) -> str:
    """A text with secrets and all other numbers masked, clipped."""
    forms = forms_of(number) if number else {}
    own = {form.lstrip("+0") for form in forms.values()}

    def mask(match: re.Match[str]) -> str:
        return match[0] if re.sub(r"\D", "", match[0]).lstrip("0") in own else MASK

    # PostgreSQL stores no NUL.
    return DIGITS.sub(mask, masked(text[:MASKED_CHARACTERS], secrets)).replace("\0", "")[:CHARACTERS]
