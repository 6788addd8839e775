"""A fault of the program as it is kept beside an attempt: its traceback, clipped, without anything secret."""

import traceback

from portal.logs import blanked
from portal.sources.catalogue import without_secrets

LONGEST = 6000  # characters; the end is kept, as it says what happened


def told(error: BaseException) -> str:
    """The traceback of an exception, fit for admins."""
    text = "".join(traceback.format_exception(error))
    return blanked(without_secrets(text))[-LONGEST:]
