"""What a letter says, before it is text or HTML: one shape for every kind, so that both parts say the same."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class EmailSection:
    """A label in bold, and one or more lines below it."""

    label: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class EmailTable:
    """Figures of several files. The first cell of a row is a name; `more` says what is left out."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: str = ""


@dataclass(frozen=True)
class EmailContent:
    """A letter in words. `tone` is ok, bad, warn or info, and `state` says the same as a word; `button` is a label and
    an address that only opens a page; `notes` are small facts; `why` tells the reader why they get this."""

    subject: str
    heading: str
    tone: str
    state: str
    lead: str
    then: str = ""
    parts: tuple[EmailSection, ...] = ()
    table: EmailTable | None = None
    button: tuple[str, str] = ("", "")
    notes: tuple[str, ...] = field(default=())
    why: str = ""
