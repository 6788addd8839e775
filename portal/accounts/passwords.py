"""Passwords: what is accepted, and argon2id over them. It knows no person and no table."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from portal.accounts.problems import AccountError, Problem

MIN_LENGTH = 12
MAX_LENGTH = 1024  # argon2 would take more, and a sender of megabytes would keep us busy

_hasher = PasswordHasher()
# Checked when the e-mail is unknown, so that the answer takes as long as for a known one.
_NOBODY = _hasher.hash("nobody has this password")


def check_length(password: str) -> None:
    """Raise AccountError when a new password is too short or too long. There are no rules about its letters: they
    make people write passwords down, and length is what counts."""
    if len(password) < MIN_LENGTH:
        raise AccountError(Problem.PASSWORD_SHORT)
    if len(password) > MAX_LENGTH:
        raise AccountError(Problem.PASSWORD_LONG)


def hash_password(password: str) -> str:
    """The hash to keep. Takes about a sixth of a second: never inside a transaction."""
    check_length(password)
    return _hasher.hash(password)


def matches(password_hash: str | None, password: str) -> bool:
    """Whether the password belongs to the hash. None, for an unknown person, takes as long and is never true."""
    if len(password) > MAX_LENGTH:
        password = ""
    try:
        return _hasher.verify(password_hash or _NOBODY, password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(password_hash: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)
