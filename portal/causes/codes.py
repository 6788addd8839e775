"""The codes of causes."""

from enum import StrEnum


class CauseCode(StrEnum):
    """The code of a cause. It is in databases and in webhooks: a code keeps its text for ever."""

    # why an attempt ended
    NUMBERS_UNANSWERED = "numbers_unanswered"
    WORKER_LOST = "worker_lost"
    NO_PROGRESS = "no_progress"
    BY_ADMIN = "by_admin"
    SOURCE_UNKNOWN = "source_unknown"
    RESTART = "restart"
    TURN = "turn"
    NEXT_STEP = "next_step"  # nothing is left to ask at this one of its sources: the next one is asked
    SOURCE_SKIPPED = "source_skipped"  # a person let the file go on with the next of its sources
    PAUSED = "paused"
    FIRST_READY = "first_ready"  # its person wanted to see the first answers before the others are looked up
    CAP_REACHED = "cap_reached"  # no limit on what may be spent has room for one more number
    STARTS_LATER = "starts_later"  # its person chose when it starts
    SOURCE_BUSY = "source_busy"
    SOURCE_DOWN = "source_down"
    SOURCE_SILENT = "source_silent"
    NOT_READY = "not_ready"  # the source has taken the number and not answered yet: another attempt fetches it
    SOURCE_PAUSED = "source_paused"
    FILE_AWAY = "file_away"  # the stored file cannot be read now, or not on this machine
    # why a row has no answer; those that concern the whole source end the attempt too
    SOURCE_ERROR = "source_error"  # an answer came, and could not be used
    NEVER_READY = "never_ready"
    TEMPORARY = "temporary"
    RATE_LIMITED = "rate_limited"
    BLOCKED = "blocked"
    CREDENTIALS = "credentials"
    NO_CREDIT = "no_credit"
    PAGE_CHANGED = "page_changed"
    ANSWERS_UNUSABLE = "answers_unusable"  # the same, and no answer of it was ever usable
    NOTHING_THERE = "nothing_there"  # 404 for every number
    RECIPE_BROKEN = "recipe_broken"
    SECRET_MISSING = "secret_missing"  # noqa: S105
    ADDRESS_REFUSED = "address_refused"
    ROBOTS_REFUSE = "robots_refuse"
    UNSURE = "unsure"
    REJECTED = "rejected"
    NOT_COVERED = "not_covered"  # the source is not for such numbers, and was not asked
    EXCLUDED = "excluded"  # it is on a list of numbers that are not sent to any source
    ERASED = "erased"  # at the request of the person whose number it was
    STOPS_WORKER = "stops_worker"
