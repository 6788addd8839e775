"""The words for the several sources of a job."""

from flask_babel import LazyString
from flask_babel import lazy_gettext as _

from portal.jobs.core.step_tables import StepRule

RULES: dict[StepRule, LazyString] = {
    StepRule.NOT_FOUND: _("only those not found before"),
    StepRule.NO_ANSWER: _("those not found or without an answer"),
    StepRule.BESIDE: _("all, in columns of their own"),
}
"""Which numbers a further source is asked about."""


def step_rule_words(rule: StepRule) -> str:
    """Which numbers a source is asked about; empty for the first one."""
    return str(RULES.get(rule, ""))
