"""The page on the architecture names functions and files that exist."""

import re
from functools import reduce
from importlib import import_module

from portal.config import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text()


def missing_functions(text: str) -> list[str]:
    missing = []
    for module, _, name in (found.partition(":") for found in re.findall(r"`(portal\.[\w.:]+)`", text)):
        try:
            reduce(getattr, filter(None, name.split(".")), import_module(module))
        except (ImportError, AttributeError):
            missing.append(f"{module}:{name}")
    return missing


def test_every_function_that_it_names_is_there() -> None:
    assert len(re.findall(r"`portal\.[\w.]+:", PAGE)) > 15
    assert missing_functions(PAGE) == []


def test_every_file_that_it_names_is_there() -> None:
    named = re.findall(r"`(portal/[\w./]+)`", PAGE)
    assert len(named) > 5
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_room_is_in_the_drawing() -> None:
    drawing = PAGE.split("## The way of a file")[0]
    inside = ("jobs", "notices", "documents", "sources", "web", "cli")
    rooms = [
        path.stem for path in (ROOT / "portal").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    ]
    rooms += [
        f"{outer}/{path.name}"
        for outer in inside
        for path in (ROOT / "portal" / outer).iterdir()
        if (path / "__init__.py").exists()
    ]
    missing = [room for room in rooms if not room.startswith("__") and not re.search(rf"(?<![\w/]){room}\b", drawing)]
    assert len(rooms) > 50 and missing == []


def test_a_function_that_is_gone_is_found() -> None:
    assert missing_functions("`portal.clock:yesterday` `portal.nowhere:x` `portal.clock:utcnow`") == [
        "portal.clock:yesterday", "portal.nowhere:x",
    ]  # fmt: skip
