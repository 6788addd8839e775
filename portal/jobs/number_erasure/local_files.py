"""What lies in this machine's data folder as text: e-mails that were written as files, and the log."""

from email import message_from_bytes, policy
from pathlib import Path

from portal.phone.writings import Writings


def erase_in_folder(folder: Path, writings: Writings) -> int:
    """Delete e-mails with the number, cross it out in logs, and return in how many places it was."""
    return _in_emails(folder / "mail", writings) + sum(_in_log(path, writings) for path in folder.glob("logger.log*"))


def _in_emails(folder: Path, writings: Writings) -> int:
    gone = 0
    for path in folder.glob("*.eml") if folder.is_dir() else ():
        try:
            message = message_from_bytes(path.read_bytes(), policy=policy.default)
        except OSError:
            continue
        said = [str(message.get("subject", ""))]
        said += [str(part.get_content()) for part in message.walk() if part.get_content_maintype() == "text"]
        if any(writings.is_in(text) for text in said):
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def _in_log(path: Path, writings: Writings) -> int:
    """Cross the number out where it is: the log's length stays, as others write at its end."""
    places, at = 0, 0
    with path.open("r+b") as file:
        for line in file.read().splitlines(keepends=True):
            for start, end in writings.spans(line.decode("latin-1")):
                file.seek(at + start)
                file.write(b"x" * (end - start))
                places += 1
            at += len(line)
    return places
