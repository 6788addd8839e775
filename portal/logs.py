"""Structured logs: readable lines in the terminal, and JSON lines in `logger.log` in the data directory."""

import logging
import re
import sys
from collections.abc import MutableMapping
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any

import structlog

OURS = "masterfilter"  # marks the handlers that `set_up` added and may remove
_SECRETS = re.compile(r"(password|passwd|token|secret|authorization|cookie)", re.I)
_IN_TEXT = re.compile(r"(://[^:/@\s]*:)[^@/\s]+(@)|(/(?:setup|reset|notices/stop)/)[\w.~-]+")


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


def set_up(data_dir: Path, level: str) -> None:
    """Send all log entries, ours and the libraries', through one chain of processors. Safe to call again."""
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
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it lists every plugin at every start
    logging.getLogger("urllib3").setLevel(logging.INFO)  # at DEBUG it logs whole addresses, and some hold a key


def _formatter(renderer: Any, shared: list[Any]) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
