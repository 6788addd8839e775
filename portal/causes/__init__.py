"""Everything that can go wrong with a file or with one of its rows: a record for each cause, with its rules and words.

A new cause is one member of `CauseCode`, one record in `table`, and its Spanish. Pure: no Flask and no database. The
texts are English msgids, marked by `N_` for the extraction and translated where they are shown: `jobs.words.causes` on
pages and in files, `notices.words` in messages. Why a cell has no valid number is another list, `phone.Reason`.
"""

from collections.abc import Mapping

from portal.causes.codes import CauseCode
from portal.causes.kinds import CORRECT, N_, NEVER, RETRY_ANY_TIME, SIDES, Cause, Side
from portal.causes.table import TABLE

CAUSES: Mapping[str, Cause] = {str(cause.code): cause for cause in TABLE}
SHARED = tuple(CauseCode(code) for code, cause in CAUSES.items() if cause.shared)
REFUSALS = tuple(CauseCode(code) for code, cause in CAUSES.items() if cause.refusal)
# The source cannot be asked now: a file that waits for one of these may go on with its next source.
IN_TROUBLE = (CauseCode.SOURCE_BUSY, CauseCode.SOURCE_DOWN, CauseCode.SOURCE_SILENT,
              *(CauseCode(code) for code, cause in CAUSES.items() if cause.waits))  # fmt: skip
# A code of another version, or none: nothing is known of it, and no rule holds.
UNKNOWN = Cause(None, Side.PORTAL, N_("Something unexpected happened."))
NO_CAUSE_REMEDY = N_("Open one of them and read its history: it was probably changed by hand. Then retry these.")


def cause_for(code: str | None) -> Cause:
    """The record of a code. A code of another version, a text written by hand and None have `UNKNOWN`."""
    return CAUSES.get(code, UNKNOWN) if code else UNKNOWN


def what_happened(code: str | None) -> str:
    """The msgid of what happened. A text that was written by hand comes back as it is; None gives an empty text."""
    if not code or code in CAUSES:
        return CAUSES[code].what if code else ""
    # A word of the program's own says nothing to a reader; a sentence does.
    bare = code.isascii() and code.replace("_", "").isalnum() and code == code.lower() and "_" in code
    return UNKNOWN.what if bare else code


__all__ = [
    "CAUSES", "CORRECT", "IN_TROUBLE", "NEVER", "NO_CAUSE_REMEDY", "N_", "REFUSALS", "RETRY_ANY_TIME", "SHARED",
    "SIDES", "UNKNOWN", "Cause", "CauseCode", "Side", "cause_for", "what_happened",
]  # fmt: skip
