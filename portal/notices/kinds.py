"""The kinds of things that are told: what is said, who may switch it off, and which are held back and told together.

A new kind of letter is one line here and one function that says it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from portal.notices.email.about_admin import source_stopped, webhook_off
from portal.notices.email.about_job import job_completed, job_failed, job_fixed
from portal.notices.email.about_many import daily_summary, failed_digest, good_digest
from portal.notices.email.about_password import invite, password_reset
from portal.notices.email.content import EmailContent
from portal.notices.models import Notice
from portal.notices.recipient import Recipient

Say = Callable[[Notice, Recipient, str], EmailContent]  # the notice, its reader, and the portal's own address


@dataclass(frozen=True)
class Kind:
    """One kind. `say` writes the letter; `wish` is the field of NoticeSettings that switches it off, empty for what
    cannot be switched off; `vein`: several of one vein to the same person within a quarter of an hour become one
    digest, whose kind is `<vein>_digest`; `private`: the text is for its reader alone, and no admin's page shows it."""

    say: Say | None = None
    wish: str | None = None
    vein: str | None = None
    private: bool = False


KINDS: dict[str, Kind] = {
    "job_failed": Kind(job_failed, wish="tell_failed", vein="failed"),
    "job_fixed": Kind(job_fixed, wish="tell_failed", vein="good"),
    "job_completed": Kind(job_completed, wish="tell_completed", vein="good"),
    "failed_digest": Kind(failed_digest, wish="tell_failed"),
    "good_digest": Kind(good_digest, wish="tell_completed"),
    "source_stopped": Kind(source_stopped, wish="tell_sources"),
    "daily_summary": Kind(daily_summary, wish="daily_summary"),
    "webhook_off": Kind(webhook_off),
    "password_reset": Kind(password_reset, private=True),
    "invite": Kind(invite, private=True),
}


def kind_of(name: str) -> Kind:
    """What is known of a kind; of one that only another channel speaks of, nothing."""
    return KINDS.get(name, Kind())


def kinds_in(vein: str) -> list[str]:
    """The kinds that are told together."""
    return [name for name, kind in KINDS.items() if kind.vein == vein]
