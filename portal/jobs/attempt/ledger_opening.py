"""Opens what is left of a large file's ledger, before the first of its numbers is looked up."""

from functools import partial

import structlog

from portal.causes import CauseCode
from portal.jobs import opening
from portal.jobs.attempt.database_wait import until_back
from portal.jobs.attempt.outcome import Conditions
from portal.jobs.core.ledger import NewLedger
from portal.jobs.shares import Holding

log = structlog.get_logger(__name__)


def open_ledger(holding: Holding, conditions: Conditions) -> CauseCode | None:
    """Open what is left of the ledger; return what stopped it before its end."""
    try:
        rest = until_back(lambda _: opening.left_to_open(holding.job_id))
        after_row = rest.row_no if rest else 0
        for piece in rest.pieces() if rest else ():
            if until_back(partial(_write_piece, holding, conditions, after_row, piece)):
                return CauseCode.PAUSED
            if conditions.stopped() and not piece.is_last:
                return CauseCode.RESTART
            after_row = piece.last_row
    except OSError as error:
        log.warning("the file cannot be read", error=str(error))
        return CauseCode.FILE_AWAY
    return None


def _write_piece(holding: Holding, conditions: Conditions, after_row: int, piece: NewLedger, repeated: bool) -> bool:
    now, lease = conditions.clock(), conditions.lease_seconds
    return opening.write_piece(holding, after_row, piece, now, lease, repeated=repeated)
