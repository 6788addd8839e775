"""The pipes of a placeholder, as in `{digits|prefix:00|sha256}`: a closed list of small conversions and no expressions.

A digest is raw bytes until it is written: in hex, unless `b64` or `b64url` follows it. The result is escaped by where
the placeholder is, like any other value. Knows no recipe and no request.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial

Value = str | bytes | datetime
Calls = Sequence[tuple[str, str | None]]  # each pipe's name, and its argument after the colon


class BadPipe(ValueError):
    """A pipe that does not exist, or cannot be used so. `code` is a key of `words.SENTENCES`."""

    def __init__(self, code: str, name: str) -> None:
        super().__init__(f"{code}: {name}")
        self.code, self.name = code, name


@dataclass(frozen=True)
class Pipe:
    """One conversion. `argument`: what has to follow its colon, if anything; `of_time`: it takes `{now}` only."""

    call: Callable[..., Value]
    argument: str = ""
    of_time: bool = False


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.hex()


def _digest(name: str, value: str | bytes) -> bytes:
    return hashlib.new(name, _bytes(value), usedforsecurity=False).digest()


def _unb64(value: str | bytes) -> bytes:
    text = _text(value).replace("-", "+").replace("_", "/")
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _basic(value: str | bytes, password: str) -> str:
    return base64.b64encode(f"{_text(value)}:{password}".encode()).decode()


def _plus(value: datetime, seconds: str) -> datetime:
    return value + timedelta(seconds=int(seconds))


PIPES: Mapping[str, Pipe] = {
    **{name: Pipe(partial(_digest, name)) for name in ("md5", "sha1", "sha256", "sha512")},
    "upper": Pipe(lambda value: _text(value).upper()),
    "lower": Pipe(lambda value: _text(value).lower()),
    "prefix": Pipe(lambda value, text: text + _text(value), "text"),
    "suffix": Pipe(lambda value, text: _text(value) + text, "text"),
    "hex": Pipe(lambda value: _bytes(value).hex()),
    "b64": Pipe(lambda value: base64.b64encode(_bytes(value)).decode()),
    "b64url": Pipe(lambda value: base64.urlsafe_b64encode(_bytes(value)).decode().rstrip("=")),
    "unb64": Pipe(_unb64),
    "basic": Pipe(_basic, "secret"),
    "plus": Pipe(_plus, "seconds", of_time=True),
    "unix": Pipe(lambda at: str(int(at.timestamp())), of_time=True),
    "unix_ms": Pipe(lambda at: str(int(at.timestamp() * 1000)), of_time=True),
    "iso": Pipe(lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ"), of_time=True),
    "date": Pipe(lambda at: at.strftime("%Y-%m-%d"), of_time=True),
    "amz": Pipe(lambda at: at.strftime("%Y%m%dT%H%M%SZ"), of_time=True),
    "http": Pipe(lambda at: format_datetime(at, usegmt=True), of_time=True),
}


def parse(text: str) -> tuple[tuple[str, str | None], ...]:
    """The pipes in `|prefix:00|sha256`."""
    calls = [one.partition(":") for one in text.split("|")[1:]]
    return tuple((name.strip(), argument if colon else None) for name, colon, argument in calls)


def apply(value: Value, calls: Calls, secret: Callable[[str], str]) -> Value:
    """The value after all pipes. `secret` gives a secret by its name. Raises BadPipe and what `secret` raises."""
    for name, argument in calls:
        pipe = PIPES.get(name)
        if pipe is None:
            raise BadPipe("bad_pipe", name)
        if bool(argument) != bool(pipe.argument):
            raise BadPipe("pipe_argument" if pipe.argument else "pipe_no_argument", name)
        if pipe.of_time != isinstance(value, datetime):
            if not pipe.of_time:
                value = written(value)  # such as {now|md5}
            else:
                raise BadPipe("pipe_of_time", name)
        if pipe.argument == "secret":
            argument = secret(str(argument))
        try:
            value = pipe.call(value, argument) if pipe.argument else pipe.call(value)
        except (ValueError, OverflowError, binascii.Error) as error:
            raise BadPipe("pipe_value", name) from error
    return value


def written(value: Value) -> str:
    """A value as text: bytes in hex, a moment in ISO 8601."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _text(value)
