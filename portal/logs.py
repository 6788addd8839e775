"""Structured logs: readable lines in the terminal, and JSON lines in `logger.log` in the data directory.

Logging never raises. With a full disk the standard handlers do, from their second line on, and a thread or process that
only wanted to say so would end. All processes write to one file, whose size is bounded. Nothing that a terminal obeys
gets into a line.
"""

import fcntl
import logging
import os
import re
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

OURS = "masterfilter"  # marks the handlers that `set_up` added and may remove
LOG_BYTES = 10 * 1024 * 1024  # then a new file is begun
LOG_FILES = 5  # older ones that are kept, logger.log.1 being the newest
_SECRETS = re.compile(r"(password|passwd|token|secret|authorization|cookie)", re.I)
_IN_TEXT = re.compile(r"(://[^:/@\s]*:)[^@/\s]+(@)|(/(?:setup|reset|notices/stop)/)[\w.~-]+")


# What a terminal obeys instead of showing: control characters but tab and line break, characters that begin a line or
# turn the writing direction, and halves of a surrogate pair, which no UTF-8 can carry.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """The text with escapes, such as `\\x9b` and `\\u2028`, for what a terminal would obey instead of showing it."""
    return _UNPRINTABLE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def _make_printable(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Make a log entry printable (a structlog processor), before the terminal's own colours are added. What is not text
    is printed with `repr`, which does the same."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = printable(value)
    return event


class _JsonLine(structlog.processors.JSONRenderer):
    """One entry as JSON, with escapes for what is unprintable in lists and dictionaries too."""

    def __call__(self, logger: Any, name: str, event: MutableMapping[str, Any]) -> str:
        line = super().__call__(logger, name, event)
        return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", str(line))


def redact_text(text: str) -> str:
    """Blank out the passwords in a text's addresses, and one-time links."""
    return _IN_TEXT.sub(lambda m: (m[1] + "***" + m[2]) if m[1] else m[3] + "***", text)


def redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank out secrets in a log entry (a structlog processor): values by their key, passwords and links in texts."""
    for key, value in event.items():
        if _SECRETS.search(key):
            event[key] = "***"
        elif isinstance(value, str):
            event[key] = redact_text(value)
    return event


def rotate(path: Path, most_bytes: int = LOG_BYTES, files: int = LOG_FILES) -> bool:
    """Rename a file that has grown past `most_bytes` to `.1`, `.1` to `.2` and so on, and delete what is past `files`.

    Any number of processes may call it at once: one of them renames. Raises OSError.
    """
    lock = os.open(path.parent, os.O_RDONLY)  # the folder itself: no lock file is left behind
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.is_file() or path.stat().st_size <= most_bytes:
            return False
        for number in range(files, 0, -1):
            older = path.with_name(f"{path.name}.{number}")
            newer = path.with_name(f"{path.name}.{number - 1}") if number > 1 else path
            if newer.exists():
                os.replace(newer, older)
        return True
    finally:
        os.close(lock)


class SharedFile(logging.Handler):
    """Appends lines to a file that other processes also write to and rename. A line that cannot be written is lost.

    It writes each line with one system call and keeps nothing back: what a file object has buffered while the disk was
    full would raise again at every later line.
    """

    def __init__(self, path: Path, most_bytes: int = LOG_BYTES) -> None:
        super().__init__()
        self.path, self.most_bytes = path, most_bytes
        self._opened: tuple[int, int] | None = None  # descriptor, inode
        self._unfinished = False  # the disk was full in the middle of a line

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record).encode("utf-8", "backslashreplace") + b"\n"
            written = os.write(file := self._file(), b"\n" + line if self._unfinished else line)
            self._unfinished = written < len(line)
            if os.fstat(file).st_size > self.most_bytes:
                rotate(self.path, self.most_bytes)
        except OSError:
            self._forget()  # the terminal has the line; the next one tries again
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        self._forget()
        super().close()

    def _file(self) -> int:
        """Return the file's descriptor; open it when it is not open or another process has renamed it."""
        if self._opened is not None:
            with suppress(FileNotFoundError):
                if os.stat(self.path).st_ino == self._opened[1]:
                    return self._opened[0]
            self._forget()
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._opened = file, os.fstat(file).st_ino
        return file

    def _forget(self) -> None:
        if self._opened is not None:
            with suppress(OSError):
                os.close(self._opened[0])
        self._opened = None


class QuietStream(logging.StreamHandler[Any]):
    """Writes to the terminal, and stays silent when that cannot be written to either."""

    def handleError(self, record: logging.LogRecord) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def set_up(data_dir: Path, level: str) -> None:
    """Send all log entries, ours and the libraries', through one chain of processors. Safe to call again."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
        _make_printable,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    people = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    terminal = QuietStream()
    terminal.setFormatter(_formatter(people, shared))
    file = SharedFile(data_dir / "logger.log")
    file.setFormatter(_formatter(_JsonLine(ensure_ascii=False), shared))
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if getattr(handler, OURS, False)]:
        root.removeHandler(old)
        old.close()
    handler: logging.Handler
    for handler in (terminal, file):
        setattr(handler, OURS, True)
        root.addHandler(handler)
    root.setLevel(level)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it lists every plugin at every start
    logging.getLogger("urllib3").setLevel(logging.INFO)  # at DEBUG it logs whole addresses, and some hold a key


def _formatter(renderer: Any, shared: list[Any]) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
