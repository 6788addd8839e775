"""What the benchmarks stand on."""

import os
from pathlib import Path

import pytest

from bench import measure


@pytest.mark.parametrize("told", ["", "/autogroup-42 nice 0\n"], ids=["no groups", "groups"])
def test_a_bench_goes_first_where_it_may_and_runs_anywhere(
    told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = tmp_path / "autogroup"
    session.write_text(told)
    monkeypatch.setattr(measure, "SESSION", session)
    monkeypatch.setattr(os, "nice", lambda by: 0)
    with measure.going_first():
        assert session.read_text() == ("-10" if told else "")
    assert session.read_text() == ("0" if told else "")
