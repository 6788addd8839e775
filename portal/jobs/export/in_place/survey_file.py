"""Keep what a survey found beside the stored workbook: looking through a million rows takes seconds. Pure.

The stored file never changes. A survey that was made by other code, or for other questions, is made again.
"""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from portal.jobs.export.in_place.sheet_survey import Survey

VERSION = 1  # of what a survey means


def kept(path: Path, question: dict[str, Any]) -> Survey | None:
    """The survey that was kept as the answer to this question."""
    try:
        found = json.loads(path.read_text("utf-8"))
        if found["question"] != {**question, "version": VERSION}:
            return None
        answer = found["answer"]
        return Survey(**{**answer, "after": [name.encode() for name in answer["after"]]})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def keep(path: Path, question: dict[str, Any], survey: Survey) -> None:
    """Keep a survey, whole or not at all. Without room on the disk it is made again the next time."""
    answer = {**asdict(survey), "after": [name.decode("utf-8", "replace") for name in survey.after]}
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_text(json.dumps({"question": {**question, "version": VERSION}, "answer": answer}), "utf-8")
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
