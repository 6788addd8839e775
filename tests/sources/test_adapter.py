"""The adapter of the documentation, as it is written there: it runs, and its recipe finds, misses and waits."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.causes import CauseCode
from portal.sources.base import Outcome
from portal.sources.http.source import HttpSource
from portal.sources.recipes.loader import read_recipe
from tests.support.processes import free_port, stop, wait_until
from tests.support.provider import Answered, Asked, provider
from tests.support.recipes import LOOPBACK

TEXT = (Path(__file__).parents[2] / "docs" / "sources.md").read_text()
PROGRAM = re.search(r"```python\n(# adapter.py.*?)```", TEXT, re.DOTALL)
RECIPE = re.search(r'```toml\n(name = "events".*?)```', TEXT, re.DOTALL)


def paged(asked: Asked) -> Answered:
    """Three pages of events; numbers that end in 7 are unknown, those that end in 8 too many."""
    number = asked.path.split("/")[2]
    if number.endswith(("7", "8")):
        return Answered({}, 404 if number.endswith("7") else 429)
    page = int(asked.query["page"])
    events = [{"type": "port" if page == 3 and number.endswith("1") else "call"}]
    host = asked.headers["Host"]
    more = {"next": f"http://{host}{asked.path}?page={page + 1}"} if page < 3 else {}
    return Answered({"events": events, **more})


@pytest.fixture
def source(tmp_path: Path) -> Iterator[HttpSource]:
    assert PROGRAM and RECIPE and len(PROGRAM[1].splitlines()) <= 40
    (tmp_path / "adapter.py").write_text(PROGRAM[1])
    port = free_port()
    path = tmp_path / "events.toml"
    path.write_text(RECIPE[1].replace("8090", str(port)))
    with provider(paged) as server:
        program = subprocess.Popen(
            [sys.executable, tmp_path / "adapter.py", str(port), server.url], stderr=subprocess.DEVNULL
        )
        try:
            wait_until(lambda: _listens(port))
            yield HttpSource(read_recipe(path), {}, allow_private=LOOPBACK)
        finally:
            stop(program)


def _listens(port: int) -> bool:
    with socket.socket() as there:
        return there.connect_ex(("127.0.0.1", port)) == 0


def test_the_adapter_of_the_documentation_runs(source: HttpSource) -> None:
    assert source.lookup("+34612345671").fields == {"ported": "yes", "events": "3"}
    assert source.lookup("+34612345672").fields == {"ported": "no", "events": "3"}
    assert source.lookup("+34612345677").outcome == Outcome.NOT_FOUND
    assert source.lookup("+34612345678").reason == CauseCode.RATE_LIMITED
    assert source.lookup("+34612345671").outcome == Outcome.FOUND
