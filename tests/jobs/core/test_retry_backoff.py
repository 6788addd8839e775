"""How long a failed job waits."""

import pytest

from portal.jobs.core.retry_backoff import Backoff

PLAIN = Backoff(base_seconds=120, factor=4, cap_seconds=3600, spread=0.2)


@pytest.mark.parametrize(("retry", "seconds"), [(1, 120), (2, 480), (3, 1920), (4, 3600), (1000, 3600)])
def test_the_wait_grows_by_its_factor_up_to_the_cap(retry: int, seconds: float) -> None:
    assert PLAIN.wait_seconds(retry, draw=lambda: 0.5) == pytest.approx(seconds)


def test_the_draw_spreads_the_wait_by_a_fifth() -> None:
    assert PLAIN.wait_seconds(1, draw=lambda: 0.0) == pytest.approx(96)
    assert PLAIN.wait_seconds(1, draw=lambda: 1.0) == pytest.approx(144)


def test_retries_count_from_one() -> None:
    with pytest.raises(ValueError, match="count from 1"):
        PLAIN.wait_seconds(0)
