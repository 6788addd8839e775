"""Structured logs: to the terminal for people, and as JSON lines to `logger.log` in the data directory."""

import logging
import re
import sys
from collections.abc import MutableMapping
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any

import structlog

OURS = "masterfilter"  # marks the handlers that are ours to take off again
_SECRETS = re.compile(r"(password|passwd|token|secret|authorization|cookie)", re.I)
_IN_TEXT = re.compile(r"(://[^:/@\s]*:)[^@/\s]+(@)|(/(?:setup|reset|notices/stop)/)[\w.~-]+")


def blanked(text: str) -> str:
    """A text without the passwords in its addresses, and without one-time addresses."""
    return _IN_TEXT.sub(lambda m: (m[1] + "***" + m[2]) if m[1] else m[3] + "***", text)


def redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank out what must not stand in a log: secrets by their key, and passwords and one-time addresses in text."""
    for key, value in event.items():
        if _SECRETS.search(key):
            event[key] = "***"
        elif isinstance(value, str):
            event[key] = blanked(value)
    return event


def set_up(data_dir: Path, level: str) -> None:
    """Send everything logged, ours and the libraries', through one chain. Safe to call again."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    people = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    terminal = logging.StreamHandler()
    terminal.setFormatter(_formatter(people, shared))
    file = WatchedFileHandler(data_dir / "logger.log", encoding="utf-8", delay=True)
    file.setFormatter(_formatter(structlog.processors.JSONRenderer(ensure_ascii=False), shared))
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if getattr(handler, OURS, False)]:
        root.removeHandler(old)
        old.close()
    handler: logging.Handler
    for handler in (terminal, file):
        setattr(handler, OURS, True)
        root.addHandler(handler)
    root.setLevel(level)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of every plugin at every start
    logging.getLogger("urllib3").setLevel(logging.INFO)  # below, it tells whole addresses, and some hold a key


def _formatter(renderer: Any, shared: list[Any]) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
