"""What usually helps against a cause, told to an admin; the owner of the file is told other things (`causes`)."""

from flask_babel import LazyString
from flask_babel import lazy_gettext as _

_LOOK_AT_SOURCE = _("Look at the source’s page: try one number there. Once it answers, retry these.")
_LOOK_AT_WORKERS = _("Look at the logs and at the machine’s memory: a worker was killed. Then retry these.")

REMEDIES: dict[str, LazyString] = {
    "numbers_unanswered": _("Most of these get through by themselves. If they stay, try one number at the source."),
    "worker_lost": _LOOK_AT_WORKERS,
    "no_progress": _("The source hangs, or its pace is too slow for the time allowed: look at it, or allow more."),
    "by_admin": _("An administrator ended these. Retry them once what was in the way is gone."),
    "source_unknown": _("Put the source’s recipe back in its folder and restart, or let the owners choose another."),
    "blocked": _("The source refuses us: make it slower in its recipe, or ask its owner. Then retry these."),
    "credentials": _("Put the source’s access data right in the environment and restart. Then retry these."),
    "no_credit": _("Top up the credit at the source. Then retry these."),
    "page_changed": _("The source’s page is read wrongly: put its recipe right and run its tests. Then retry these."),
    "recipe_broken": _("Put the source’s recipe right and run its tests. Then retry these."),
    "secret_missing": _("Set the source’s access data in the environment and restart. Then retry these."),
    "address_refused": _("The source is inside the network: allow it in the settings, if it is yours."),
    "robots_refuse": _("The source does not want programs: ask its owner, or use another source."),
}


def remedy(cause: str) -> str:
    """What usually helps, in a sentence or two."""
    if not cause:
        return str(
            _("Open one of them and read what happened when: it was probably changed by hand. Then retry these.")
        )
    return str(REMEDIES.get(cause) or _LOOK_AT_SOURCE)
