"""Everything that can go wrong with a file or with one of its rows: a record for each cause, with its rules and words.

A new cause is one member of `CauseCode`, one record here, and its Spanish. Pure: no Flask and no database. The texts
are English msgids, marked by `N_` for the extraction and translated where they are shown: `jobs.words.causes` on pages
and in files, `notices.words` in messages. Why a cell has no valid number is another list, `phone.Reason`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


def N_(text: str) -> str:
    """Mark a text for the extraction, without translating it."""
    return text


class CauseCode(StrEnum):
    """The code of a cause. It is in databases and in webhooks: a code keeps its text for ever."""

    # why an attempt ended
    NUMBERS_UNANSWERED = "numbers_unanswered"
    WORKER_LOST = "worker_lost"
    NO_PROGRESS = "no_progress"
    BY_ADMIN = "by_admin"
    SOURCE_UNKNOWN = "source_unknown"
    RESTART = "restart"
    TURN = "turn"
    PAUSED = "paused"
    FIRST_READY = "first_ready"  # its person wanted to see the first answers before the others are looked up
    CAP_REACHED = "cap_reached"  # no cap on what may be spent has room for one more number
    STARTS_LATER = "starts_later"  # its person chose when it starts
    SOURCE_BUSY = "source_busy"
    SOURCE_DOWN = "source_down"
    SOURCE_SILENT = "source_silent"
    NOT_READY = "not_ready"  # the source has taken the number and not answered yet: another attempt fetches it
    SOURCE_PAUSED = "source_paused"
    FILE_AWAY = "file_away"  # the stored file cannot be read now, or not on this machine
    # why a row has no answer; those that concern the whole source end the attempt too
    SOURCE_ERROR = "source_error"  # an answer came, and could not be used
    NEVER_READY = "never_ready"
    TEMPORARY = "temporary"
    RATE_LIMITED = "rate_limited"
    BLOCKED = "blocked"
    CREDENTIALS = "credentials"
    NO_CREDIT = "no_credit"
    PAGE_CHANGED = "page_changed"
    ANSWERS_UNUSABLE = "answers_unusable"  # the same, and no answer of it was ever usable
    NOTHING_THERE = "nothing_there"  # 404 for every number
    RECIPE_BROKEN = "recipe_broken"
    SECRET_MISSING = "secret_missing"  # noqa: S105
    ADDRESS_REFUSED = "address_refused"
    ROBOTS_REFUSE = "robots_refuse"
    UNSURE = "unsure"
    REJECTED = "rejected"
    NOT_COVERED = "not_covered"  # the source is not for such numbers, and was not asked
    STOPS_WORKER = "stops_worker"


class Side(StrEnum):
    """Where a cause has to be fixed."""

    YOURS = "yours"
    SOURCE = "source"
    PORTAL = "portal"
    ADMIN = "admin"
    NOBODY = "nobody"


SIDES: dict[Side, str] = {
    Side.YOURS: N_("In the file"),
    Side.SOURCE: N_("At the source"),
    Side.PORTAL: N_("In the portal"),
    Side.ADMIN: N_("With the administrators"),
    Side.NOBODY: N_("Nothing is wrong: this was planned"),
}

# Will it retry?
AUTOMATICALLY = N_("Yes, automatically. We wait longer before each retry, until no retries are left.")
NEVER = N_("No. The answer would be the same.")
_CONTINUES = N_("We will continue automatically. This does not use a retry.")
_NOT_UNTIL_FIXED = N_("Not until an administrator has fixed this.")
_ONCE_FIXED = N_("We will continue automatically once an administrator has fixed this. This does not use a retry.")

# What the reader can do. Empty where there is nothing to do: the line is left out then.
RETRY_ANY_TIME = N_("You can press Retry at any time. Only rows without an answer are looked up again.")
CORRECT = N_("Download the rows to correct, fix them and upload that file.")
_ADMINS_KNOW = N_("You do not need to do anything. The administrators have been notified.")
_RETRY_ONCE_FIXED = N_(
    "The administrators have been notified. Once they have fixed it, press Retry: the rows that are ready are kept."
)

_TRY_ONE_NUMBER = N_("Open the source’s page and try one number. Once it answers, retry these.")


@dataclass(frozen=True)
class Cause:
    """One cause. Its four texts are English msgids: sentences, or words that stand alone."""

    code: CauseCode | None  # None: a cause that has no code, such as a text written by hand
    side: Side
    what: str  # what happened
    retried: str = AUTOMATICALLY  # will it retry?
    todo: str = RETRY_ANY_TIME  # what the reader can do; empty where there is nothing to do
    remedy: str = _TRY_ONE_NUMBER  # what usually helps, for an administrator: what to do comes first
    for_admin: bool = False  # only an administrator can fix it: its owner is not asked to do anything
    refusal: bool = False  # the source refuses us all
    waits: bool = False  # the file waits for an administrator, a day at most, and no retry is used
    shared: bool = False  # all files of the source wait for it together: one of them tries, and the others follow it
    temporary: bool = False  # another attempt may well cure the row; otherwise somebody has to fix something first
    asks_again: bool = False  # the same attempt asks for the number again: a hiccup, or a refusal that may be ours
    free: bool = False  # asking again uses none of the number's tries
    late: bool = False  # asked again after all other numbers: by then it is known whose fault it is

    @property
    def where(self) -> str:
        """The side in words, as a msgid."""
        return SIDES[self.side]

    @property
    def todo_when_stopped(self) -> str:
        """What the reader can do once the file no longer waits and is not retried, as a msgid."""
        return _RETRY_ONCE_FIXED if self.waits else self.todo or RETRY_ANY_TIME


_TABLE = (
    Cause(
        CauseCode.NUMBERS_UNANSWERED,
        Side.SOURCE,
        N_("The source did not answer for some of the numbers."),
        remedy=N_(
            "Wait for the automatic retries: they are usually enough. If not, try one number on the source’s page."
        ),
    ),
    Cause(
        CauseCode.WORKER_LOST,
        Side.PORTAL,
        N_("The lookup stopped unexpectedly."),
        remedy=N_("Check the logs and the machine’s memory: a worker was killed. Then retry these."),
        temporary=True,
    ),
    Cause(
        CauseCode.NO_PROGRESS,
        Side.SOURCE,
        N_("No answers arrived for too long."),
        remedy=N_("Check the source: it hangs, or it is too slow for the time allowed. If it is slow, allow more."),
        temporary=True,
    ),
    Cause(
        CauseCode.BY_ADMIN,
        Side.ADMIN,
        N_("An administrator stopped this attempt because it was not making progress."),
        remedy=N_("Check that the problem is gone, then retry these. An administrator stopped them."),
    ),
    Cause(
        CauseCode.SOURCE_UNKNOWN,
        Side.ADMIN,
        N_("The chosen source is no longer available here."),
        _ONCE_FIXED,
        _ADMINS_KNOW,
        N_("Put the source’s recipe back in its folder and restart, or ask the owners to choose another one."),
        for_admin=True,
        waits=True,
        shared=True,
    ),
    Cause(CauseCode.RESTART, Side.NOBODY, N_("The portal was restarted."), _CONTINUES, todo=""),
    Cause(CauseCode.TURN, Side.NOBODY, N_("Other people’s files had their turn."), _CONTINUES, todo=""),
    Cause(
        CauseCode.PAUSED,
        Side.NOBODY,
        N_("The file was paused."),
        N_("We will continue when it is resumed."),
        N_("Press Resume when you want to continue."),
    ),
    Cause(
        CauseCode.FIRST_READY,
        Side.NOBODY,
        N_("The first numbers are ready."),
        N_("We will continue when it is resumed."),
        N_("Look at the first answers and press Continue."),
    ),
    Cause(
        CauseCode.CAP_REACHED,
        Side.NOBODY,
        N_("The spending limit is reached."),
        N_(
            "We will continue automatically once the limit is raised or, with a monthly limit, when a new month begins."
        ),
        N_("Ask an administrator to raise the limit, or wait. What is ready is kept."),
        N_("Raise the limit on the page of spending, or let the files wait for the next month."),
    ),
    Cause(CauseCode.STARTS_LATER, Side.NOBODY, N_("The file starts later."), _CONTINUES, todo=""),
    Cause(
        CauseCode.SOURCE_BUSY,
        Side.SOURCE,
        N_("The source is busy or is not responding."),
        _CONTINUES,
        todo="",
        temporary=True,
    ),
    Cause(
        CauseCode.SOURCE_DOWN,
        Side.SOURCE,
        N_("The source is not responding. We try it again from time to time."),
        _CONTINUES,
        todo="",
        shared=True,
    ),
    Cause(
        CauseCode.SOURCE_SILENT,
        Side.SOURCE,
        N_("The source did not answer any request. We wait a little longer each time."),
        N_("We will continue automatically, up to eight times a day. This does not use a retry."),
        todo="",
    ),
    Cause(
        CauseCode.NOT_READY,
        Side.SOURCE,
        N_("The source has received the numbers and is still preparing the answers."),
        _CONTINUES,
        todo="",
    ),
    Cause(
        CauseCode.SOURCE_PAUSED,
        Side.NOBODY,
        N_("An administrator has paused the source."),
        N_("We will continue once the source is resumed. This does not use a retry."),
        todo="",
    ),
    Cause(
        CauseCode.FILE_AWAY,
        Side.PORTAL,
        N_("The portal cannot open your file right now. There is nothing wrong with it."),
        _CONTINUES,
        todo="",
        remedy=N_("Check the place where uploads are stored, on this machine too. Then retry these."),
        temporary=True,
    ),
    Cause(
        CauseCode.SOURCE_ERROR,
        Side.SOURCE,
        N_("We could not use the source’s answer for this number."),
        temporary=True,
    ),
    Cause(CauseCode.NEVER_READY, Side.SOURCE, N_("The source received this number but did not answer in time.")),
    Cause(
        CauseCode.TEMPORARY,
        Side.SOURCE,
        N_("The source did not answer for this number."),
        temporary=True,
        asks_again=True,
    ),
    Cause(
        CauseCode.RATE_LIMITED,
        Side.SOURCE,
        N_("The source is limiting how fast we can send requests."),
        _CONTINUES,
        todo="",
        temporary=True,
        asks_again=True,
        free=True,
    ),
    Cause(
        CauseCode.BLOCKED,
        Side.ADMIN,
        N_("The source refuses requests from this portal."),
        _ONCE_FIXED,
        _ADMINS_KNOW,
        N_("Make the source slower in its recipe, or ask its owner for access. Then retry these."),
        for_admin=True,
        refusal=True,
        waits=True,
        shared=True,
        asks_again=True,
        late=True,
    ),
    Cause(
        CauseCode.CREDENTIALS,
        Side.ADMIN,
        N_("The source does not accept our credentials."),
        _ONCE_FIXED,
        _ADMINS_KNOW,
        N_("Set the source’s right key. Waiting files then continue automatically; retry those that have stopped."),
        for_admin=True,
        refusal=True,
        waits=True,
        shared=True,
        asks_again=True,
        late=True,
    ),
    Cause(
        CauseCode.NO_CREDIT,
        Side.ADMIN,
        N_("The credit at the source has run out."),
        _ONCE_FIXED,
        _ADMINS_KNOW,
        N_("Top up the credit with the provider, then retry these files."),
        for_admin=True,
        refusal=True,
        waits=True,
        shared=True,
        asks_again=True,
        late=True,
    ),
    Cause(
        CauseCode.PAGE_CHANGED,
        Side.ADMIN,
        N_("The source’s page has changed and we can no longer read it."),
        _NOT_UNTIL_FIXED,
        _RETRY_ONCE_FIXED,
        N_("Fix the source’s recipe, which no longer matches its page, and run its tests. Then retry these."),
        for_admin=True,
    ),
    Cause(
        CauseCode.ANSWERS_UNUSABLE,
        Side.ADMIN,
        N_("The source answers, but we cannot read any of its answers."),
        _NOT_UNTIL_FIXED,
        _RETRY_ONCE_FIXED,
        N_("Compare the recipe with the sample of an answer on the file’s page, and fix it. Then retry these."),
        for_admin=True,
    ),
    Cause(
        CauseCode.NOTHING_THERE,
        Side.ADMIN,
        N_("The source answered 404 (not found) for every number. Its address may be wrong."),
        _NOT_UNTIL_FIXED,
        _RETRY_ONCE_FIXED,
        N_(
            "Check the address in the source’s recipe. If 404 is how it says that it does not know a number, add a rule"
            " not_found with status 404. Then retry these."
        ),
        for_admin=True,
    ),
    Cause(
        CauseCode.RECIPE_BROKEN,
        Side.ADMIN,
        N_("The source rejected our request. Its recipe needs fixing."),
        _NOT_UNTIL_FIXED,
        _RETRY_ONCE_FIXED,
        N_("Fix the source’s recipe and run its tests. Then retry these."),
        for_admin=True,
    ),
    Cause(
        CauseCode.SECRET_MISSING,
        Side.ADMIN,
        N_("The API key for this source is missing."),
        _ONCE_FIXED,
        _ADMINS_KNOW,
        N_("Set the source’s API key. Waiting files then continue automatically; retry those that have stopped."),
        for_admin=True,
        waits=True,
        shared=True,
    ),
    Cause(
        CauseCode.ADDRESS_REFUSED,
        Side.ADMIN,
        N_("This portal is not allowed to contact the source’s address."),
        _NOT_UNTIL_FIXED,
        _RETRY_ONCE_FIXED,
        N_("Allow the source’s address in the settings, if it is yours: it is inside the network."),
        for_admin=True,
    ),
    Cause(
        CauseCode.ROBOTS_REFUSE,
        Side.ADMIN,
        N_("The source does not allow automated access (robots.txt)."),
        _NOT_UNTIL_FIXED,
        _RETRY_ONCE_FIXED,
        N_("Ask the source’s owner for permission, or use another source: it does not allow automated access."),
        for_admin=True,
    ),
    Cause(
        CauseCode.UNSURE,
        Side.SOURCE,
        N_("The source did not understand the request for this number."),
        asks_again=True,
        late=True,
    ),
    Cause(
        CauseCode.REJECTED,
        Side.SOURCE,
        N_("The source does not accept this number."),
        NEVER,
        N_("Check the number, or leave the row as it is."),
    ),
    Cause(
        CauseCode.NOT_COVERED,
        Side.NOBODY,
        N_("We did not ask about this number: the source is not for its country or kind of line. It was free."),
        NEVER,
        N_("Choose another source for numbers like this one."),
    ),
    Cause(
        CauseCode.STOPS_WORKER,
        Side.PORTAL,
        N_("This number could not be looked up: the portal’s process stopped three times at it."),
        N_("No. It would stop again."),
        N_("Leave the row as it is, or look this number up by hand. All others have their result."),
        N_("Check the logs and the machine’s memory: a process ends whenever this number is looked up."),
    ),
)

CAUSES: Mapping[str, Cause] = {str(cause.code): cause for cause in _TABLE}
SHARED = tuple(CauseCode(code) for code, cause in CAUSES.items() if cause.shared)
REFUSALS = tuple(CauseCode(code) for code, cause in CAUSES.items() if cause.refusal)
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
