"""A histogram in bins that grow by a fixed factor, from which a median or a percentile is read. Pure.

Bin n holds values above GROWTH^(n-1) and up to GROWTH^n; bin 0 holds 1 and less. A percentile read from the bins is at
most the share ERROR away from the true value, for any values. The bins are fixed, so that those of any two hours or
sources can be added. After: Masson, Rim and Lee, "DDSketch" (VLDB 2019).
"""

import math
from collections.abc import Mapping

ERROR = 0.05
GROWTH = (1 + ERROR) / (1 - ERROR)
_LOG = math.log(GROWTH)


def bin_of(value: int) -> int:
    """Return the bin of a whole number."""
    return max(0, math.ceil(math.log(value) / _LOG - 1e-9)) if value > 1 else 0


def bin_middle(number: int) -> float:
    """Return the value that a bin represents: equally far, as a share, from its lower and its upper end."""
    return 2 * GROWTH**number / (GROWTH + 1) if number else 1.0


def percentile(bins: Mapping[int, int], share: float) -> float | None:
    """Return the smallest value that at least this share (0 to 1) of all values does not exceed; None without
    values."""
    total = sum(bins.values())
    wanted = max(1, math.ceil(share * total - 1e-9))
    seen = 0
    for number, count in sorted(bins.items()):
        seen += count
        if seen >= wanted and total:
            return bin_middle(number)
    return None
