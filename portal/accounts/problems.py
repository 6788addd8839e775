"""What can be wrong with what a person gave. `words` has a sentence for each."""

from enum import StrEnum


class Problem(StrEnum):
    """Why an account's verb refused."""

    EMAIL_WRONG = "email_wrong"
    EMAIL_TAKEN = "email_taken"
    PASSWORD_SHORT = "password_short"  # noqa: S105
    PASSWORD_LONG = "password_long"  # noqa: S105
    PASSWORD_WRONG = "password_wrong"  # noqa: S105  # the present password, when changing it
    OWN_ACCOUNT = "own_account"  # what an admin may not do to oneself, so that the portal always has one
    ADDRESS_OVER = "address_over"  # a one-time address that is used, too old or unknown


class AccountError(Exception):
    """A verb that refused; nothing was changed."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.value)
        self.problem = problem


class TooManyTries(Exception):
    """Wait `seconds` before the next try."""

    def __init__(self, seconds: int) -> None:
        super().__init__(str(seconds))
        self.seconds = seconds
