"""Keep what a look through a stored file found beside it: looking through a million rows takes seconds. Pure.

The stored file never changes. What was found by other code, or for other questions, is looked for again.
"""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

VERSION = 2  # of what the answers mean

Found = TypeVar("Found")


def looked_through(path: Path | None, question: dict[str, Any], kind: type[Found], look: Callable[[], Found]) -> Found:
    """What `look` finds, a dataclass of plain values: as it was kept in file `path`, or found now and kept there."""
    if path is None:
        return look()
    asked = {**question, "version": VERSION}
    found = _kept(path, asked, kind)
    if found is None:
        found = look()
        _keep(path, {"question": asked, "answer": asdict(found)})  # type: ignore[call-overload]
    return found


def _kept(path: Path, asked: dict[str, Any], kind: type[Found]) -> Found | None:
    try:
        found = json.loads(path.read_text("utf-8"))
        return kind(**found["answer"]) if found["question"] == asked else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _keep(path: Path, found: dict[str, Any]) -> None:
    """Keep it, whole or not at all. Without room on the disk it is looked for again the next time."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_text(json.dumps(found), "utf-8")
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
