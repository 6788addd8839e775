"""Passwords: which ones are accepted, and argon2id hashing. It knows no user and no table."""

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from portal.accounts.errors import MAX_LENGTH, MIN_LENGTH, AccountError, AccountProblem
from portal.accounts.weak_passwords import weakness

NO_HASH_PREFIX = "!"  # no hash starts with it

_hasher = PasswordHasher()
# Checked when the e-mail address is unknown, so that the answer takes as long as for a known one. It has the present
# parameters, and is written here: hashing would cost every process and command a tenth of a second at its start.
_DUMMY_HASH = "$argon2id$v=19$m=65536,t=3,p=4$c1uRhV6KL6TSNLuNCFgZig$n/OeImW0JbKb1eJ7KMS+Kxp3mgvYkgT6+77/lPT63o8"


def check_new_password(password: str, email: str) -> None:
    """Raise AccountError when a new password is too short, too long, or among the first that somebody would try. There
    are no rules about characters: they make people write passwords down, and length is what counts."""
    if len(password) < MIN_LENGTH:
        raise AccountError(AccountProblem.PASSWORD_SHORT)
    if len(password) > MAX_LENGTH:
        raise AccountError(AccountProblem.PASSWORD_LONG)
    if problem := weakness(password, email):
        raise AccountError(problem)


def hash_password(password: str, email: str = "") -> str:
    """Return the hash of a new password, to store. It takes about a sixth of a second: never call it inside a
    transaction. Raises AccountError as `check_new_password` does."""
    check_new_password(password, email)
    return _hasher.hash(password)


def rehash(password: str) -> str:
    """Return the hash of a password that is in use, with the present parameters, whatever rules came since."""
    return _hasher.hash(password)


def no_password() -> str:
    """Return the placeholder for a user who has not chosen a password yet. It is random, so that a link bound to it is
    bound to this user."""
    return f"{NO_HASH_PREFIX}{secrets.token_hex(16)}"


def is_chosen(password_hash: str) -> bool:
    """Return whether the user has chosen a password."""
    return not password_hash.startswith(NO_HASH_PREFIX)


def matches(password_hash: str | None, password: str) -> bool:
    """Return whether the password matches the hash. None (an unknown user) and a user without a password never match,
    and take as long."""
    if len(password) > MAX_LENGTH:
        password = ""
    known = password_hash if password_hash is not None and is_chosen(password_hash) else None
    try:
        return _hasher.verify(known or _DUMMY_HASH, password) and known is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(password_hash: str) -> bool:
    """Return whether the hash was made with weaker parameters than the present ones."""
    return _hasher.check_needs_rehash(password_hash)
