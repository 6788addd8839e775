"""The kinds of things that are told: who may switch each off, and which are held back and told together.

A new kind is one line here, its subject in `subjects`, and its two templates, `emails/<kind>.txt` and `.html`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind. `wish` is the field of NoticeSettings that switches it off, empty for what cannot be switched off;
    `vein`: several of one vein to the same person within a quarter of an hour become one digest; `private`: the text
    is for its reader alone, and no admin's page shows it."""

    wish: str | None = None
    vein: str | None = None
    private: bool = False


KINDS: dict[str, Kind] = {
    "job_failed": Kind(wish="tell_failed", vein="failed"),
    "job_fixed": Kind(wish="tell_failed", vein="good"),
    "job_completed": Kind(wish="tell_completed", vein="good"),
    "failed_digest": Kind(wish="tell_failed"),
    "good_digest": Kind(wish="tell_completed"),
    "source_stopped": Kind(wish="tell_sources"),
    "daily_summary": Kind(wish="daily_summary"),
}


def kind_of(name: str) -> Kind:
    """What is known of a kind; of one that only another channel speaks of, nothing."""
    return KINDS.get(name, Kind())


def kinds_in(vein: str) -> list[str]:
    """The kinds that are told together."""
    return [name for name, kind in KINDS.items() if kind.vein == vein]
