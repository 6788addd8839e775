"""The name a browser gave a file → one that is safe to show, store and send back. Pure.

The name is for people only: it never becomes part of a path of ours.
"""

import re
import unicodedata

MAX_CHARACTERS = 255
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,10}\Z")


def clean_name(given: str | None) -> str:
    """The last part of a path, without what nobody can see, at most 255 characters with its ending kept.

    Some browsers send a whole path, and marks that turn the writing direction make `gpj.exe` out of `exe.jpg`.
    """
    name = re.split(r"[/\\]", given or "")[-1]
    name = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode("utf-8"))
    name = "".join(" " if letter.isspace() else letter for letter in name)
    name = "".join(letter for letter in name if not unicodedata.category(letter).startswith("C"))
    name = " ".join(name.split())
    if not name.strip("."):
        return "file"
    if len(name) <= MAX_CHARACTERS:
        return name
    ending = _ENDING.search(name)
    tail = ending[0] if ending else ""
    return name[: MAX_CHARACTERS - len(tail)] + tail
