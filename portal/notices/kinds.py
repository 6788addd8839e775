"""The kinds of notices, as data: the preference that switches one off, the digest it may join, who may read it.

To add a kind, add a member and its rule here, its title in `notices.words`, and a writer for each channel that sends
it: `email.build` for e-mails, `chat.words` for chat messages. Pure: no channel, no database, no Flask.
"""

from dataclasses import dataclass
from enum import StrEnum


class NoticeKind(StrEnum):
    """What a notice reports."""

    JOB_FAILED = "job_failed"
    JOB_FIXED = "job_fixed"  # completed after its owner was notified that it had failed
    JOB_COMPLETED = "job_completed"
    FAILED_DIGEST = "failed_digest"
    GOOD_DIGEST = "good_digest"
    SOURCE_STOPPED = "source_stopped"
    SOURCE_BACK = "source_back"
    MONEY_LOW = "money_low"  # the credit at a source, or what a spending cap leaves
    DAILY_SUMMARY = "daily_summary"
    WORKERS_AWAY = "workers_away"
    WORKERS_BACK = "workers_back"
    WEBHOOK_TEST = "webhook_test"  # only proves that webhooks arrive
    WEBHOOK_OFF = "webhook_off"
    MAIL_TEST = "mail_test"  # only proves that emails arrive
    PASSWORD_RESET = "password_reset"  # noqa: S105 - a kind, not a password
    INVITE = "invite"
    ACCOUNT_CHANGED = "account_changed"  # a new password, or two-step sign-in switched on or off

    @property
    def key(self) -> str:
        """The kind as the first part of a notice's `dedupe`."""
        return self.value.replace("_", "-")


class DigestGroup(StrEnum):
    """Notices of one group for one person within a quarter of an hour become one digest."""

    FAILED = "failed"
    GOOD = "good"

    @property
    def kind(self) -> NoticeKind:
        """The kind of the digest itself."""
        return {DigestGroup.FAILED: NoticeKind.FAILED_DIGEST, DigestGroup.GOOD: NoticeKind.GOOD_DIGEST}[self]

    @property
    def members(self) -> list[NoticeKind]:
        """The kinds that go into the digest."""
        return [kind for kind, rule in RULES.items() if rule.digest == self]


@dataclass(frozen=True)
class NoticeRule:
    """The rule for one kind. `preference`: the field of NoticeSettings that switches its e-mail off; None if it cannot
    be switched off. `digest`: the group that it may be sent with. `private`: only the recipient may read the text, so
    the admins' pages do not show it."""

    preference: str | None = None
    digest: DigestGroup | None = None
    private: bool = False


RULES: dict[NoticeKind, NoticeRule] = {
    NoticeKind.JOB_FAILED: NoticeRule("tell_failed", DigestGroup.FAILED),
    NoticeKind.JOB_FIXED: NoticeRule("tell_failed", DigestGroup.GOOD),
    NoticeKind.JOB_COMPLETED: NoticeRule("tell_completed", DigestGroup.GOOD),
    NoticeKind.FAILED_DIGEST: NoticeRule("tell_failed"),
    NoticeKind.GOOD_DIGEST: NoticeRule("tell_completed"),
    NoticeKind.SOURCE_STOPPED: NoticeRule("tell_sources"),
    NoticeKind.SOURCE_BACK: NoticeRule(),
    NoticeKind.MONEY_LOW: NoticeRule("tell_sources"),
    NoticeKind.DAILY_SUMMARY: NoticeRule("daily_summary"),
    NoticeKind.WORKERS_AWAY: NoticeRule(),
    NoticeKind.WORKERS_BACK: NoticeRule(),
    NoticeKind.WEBHOOK_TEST: NoticeRule(),
    NoticeKind.WEBHOOK_OFF: NoticeRule(),
    NoticeKind.MAIL_TEST: NoticeRule(),
    NoticeKind.PASSWORD_RESET: NoticeRule(private=True),
    NoticeKind.INVITE: NoticeRule(private=True),
    NoticeKind.ACCOUNT_CHANGED: NoticeRule(),
}


def rule_of(kind: NoticeKind) -> NoticeRule:
    """The rule for a kind; an empty rule for a kind that only a newer version of the portal knows."""
    return RULES.get(kind, NoticeRule())
