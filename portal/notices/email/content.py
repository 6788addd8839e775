"""The content of an e-mail before it becomes text or HTML: one shape for every kind, so both parts say the same."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class EmailSection:
    """A label in bold with one or more lines below it."""

    label: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class EmailTable:
    """Several files as rows. The first cell of a row is a file name; `more` says how many are not listed."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: str = ""


@dataclass(frozen=True)
class EmailContent:
    """An e-mail's content. `tone` is ok, bad, warn or info, and `state` says the same in words; `button` is a label and
    a link that only opens a page; `notes` are details in small print; `why` explains why the recipient gets it."""

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
