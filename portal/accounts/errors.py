"""Why an account function refused: the codes, the exceptions that carry them, and a sentence for each."""

from enum import StrEnum

from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString

MIN_LENGTH = 12  # characters of a password
MAX_LENGTH = 1024  # argon2 accepts more, but hashing megabytes would keep us busy


class AccountProblem(StrEnum):
    """Why an account function refused."""

    EMAIL_WRONG = "email_wrong"
    EMAIL_TAKEN = "email_taken"
    PASSWORD_SHORT = "password_short"  # noqa: S105
    PASSWORD_LONG = "password_long"  # noqa: S105
    PASSWORD_REPEATED = "password_repeated"  # noqa: S105
    PASSWORD_COMMON = "password_common"  # noqa: S105
    PASSWORD_OWN = "password_own"  # noqa: S105  # made of the user's own address or the portal's name
    PASSWORD_WRONG = "password_wrong"  # noqa: S105  # the current password, when changing it
    CODE_WRONG = "code_wrong"
    OWN_ACCOUNT = "own_account"  # administrators cannot do this to themselves, so that one always remains
    LINK_EXPIRED = "link_expired"  # a one-time link that is used, too old or unknown


class AccountError(Exception):
    """The function refused; nothing was changed."""

    def __init__(self, problem: AccountProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem


class TooManyTries(Exception):
    """Wait `seconds` before the next try."""

    def __init__(self, seconds: int) -> None:
        super().__init__(str(seconds))
        self.seconds = seconds


PROBLEMS: dict[AccountProblem, LazyString] = {
    AccountProblem.EMAIL_WRONG: lazy_gettext("This is not a valid email address. It should look like ana@example.com."),
    AccountProblem.EMAIL_TAKEN: lazy_gettext("This email address already has an account."),
    AccountProblem.PASSWORD_SHORT: lazy_gettext(
        "The password is too short. Use at least %(length)s characters; a few words in a row work well.",
        length=MIN_LENGTH,
    ),
    AccountProblem.PASSWORD_LONG: lazy_gettext(
        "The password is too long. Use at most %(length)s characters.", length=MAX_LENGTH
    ),
    AccountProblem.PASSWORD_REPEATED: lazy_gettext(
        "The password repeats the same few characters. Use a few words in a row that do not belong together."
    ),
    AccountProblem.PASSWORD_COMMON: lazy_gettext(
        "This is one of the first passwords that people try. Use a few words in a row that do not belong together."
    ),
    AccountProblem.PASSWORD_OWN: lazy_gettext(
        "The password must not be your email address or the portal's name. "
        "Use a few words in a row that do not belong together."
    ),
    AccountProblem.CODE_WRONG: lazy_gettext(
        "This code is wrong or has already been used. Wait for the app to show the next one and enter that."
    ),
    AccountProblem.PASSWORD_WRONG: lazy_gettext("Your current password is wrong, so nothing was changed."),
    AccountProblem.OWN_ACCOUNT: lazy_gettext(
        "You cannot remove your own access or change your own role. Ask another administrator."
    ),
    AccountProblem.LINK_EXPIRED: lazy_gettext("This link has expired or has already been used."),
}
