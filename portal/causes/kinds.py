"""What is said of each cause: the sides where one has to be fixed, a record's fields, and texts that several share."""

from dataclasses import dataclass
from enum import StrEnum

from portal.causes.codes import CauseCode


def N_(text: str) -> str:
    """Mark a text for the extraction, without translating it."""
    return text


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
CONTINUES = N_("We will continue automatically. This does not use a retry.")
NOT_UNTIL_FIXED = N_("Not until an administrator has fixed this.")
ONCE_FIXED = N_("We will continue automatically once an administrator has fixed this. This does not use a retry.")

# What the reader can do. Empty where there is nothing to do: the line is left out then.
RETRY_ANY_TIME = N_("You can press Retry at any time. Only rows without an answer are looked up again.")
CORRECT = N_("Download the rows to correct, fix them and upload that file.")
ADMINS_KNOW = N_("You do not need to do anything. The administrators have been notified.")
RETRY_ONCE_FIXED = N_(
    "The administrators have been notified. Once they have fixed it, press Retry: the rows that are ready are kept."
)

TRY_ONE_NUMBER = N_("Open the source’s page and try one number. Once it answers, retry these.")


@dataclass(frozen=True)
class Cause:
    """One cause. Its four texts are English msgids: sentences, or words that stand alone."""

    code: CauseCode | None  # None: a cause that has no code, such as a text written by hand
    side: Side
    what: str  # what happened
    retried: str = AUTOMATICALLY  # will it retry?
    todo: str = RETRY_ANY_TIME  # what the reader can do; empty where there is nothing to do
    remedy: str = TRY_ONE_NUMBER  # what usually helps, for an administrator: what to do comes first
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
        return RETRY_ONCE_FIXED if self.waits else self.todo or RETRY_ANY_TIME
