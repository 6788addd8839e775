"""The arrows: web, cli and the worker → jobs → documents, sources, notices, which know neither each other nor jobs.

Read from the imports as they are written, so that one inside a function counts too.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PORTAL = ROOT / "portal"

# Which rooms a room may know. Those on the ground floor (GROUND) are open to all.
GROUND = {"clock", "config", "database", "extensions", "logs", "objects", "outward"}
MAY_KNOW = {
    "accounts": set(),
    "documents": set(),
    "sources": set(),
    "notices": {"accounts"},
    "jobs": {"accounts", "documents", "sources", "notices"},
    "running": {"jobs", "accounts", "notices"},
    "cli": {"jobs", "accounts", "documents", "sources", "notices", "running"},
    "web": {"jobs", "accounts", "documents", "sources", "notices"},
    "application": {"web", "cli", "documents", "accounts", "jobs", "sources"},
}
# Rooms that must work without Flask: the guarded child imports some, and all can be tested as plain functions.
PURE = [
    "documents/phone.py", "documents/checking.py", "documents/reading.py", "documents/child.py",
    "documents/sniffing.py", "documents/guessing.py", "documents/limits.py", "documents/zipcheck.py",
    "documents/workbook.py", "documents/delimited.py", "documents/storage.py",
    "jobs/status.py", "jobs/backoff.py", "jobs/window.py", "jobs/deck.py", "sources/base.py",
    "sources/offline.py", "sources/filling.py", "sources/judging.py", "sources/picking.py", "sources/recipe_file.py",
    "sources/recipe_parts.py", "sources/recipe_table.py", "outward/waiting.py", "config.py",
]  # fmt: skip
KNOW_RQ = {"jobs/dispatch.py", "jobs/working.py", "jobs/scheduling.py"}


def modules() -> list[Path]:
    return sorted(path for path in PORTAL.rglob("*.py") if "migrations" not in path.parts)


def imports(path: Path) -> set[str]:
    """Every module that a file names in an import, wherever the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def room_of(path: Path) -> str:
    parts = path.relative_to(PORTAL).parts
    return parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PORTAL)))
def test_arrows_run_one_way(path: Path) -> None:
    room = room_of(path)
    if room not in MAY_KNOW:
        return
    for name in imports(path):
        if not name.startswith("portal."):
            continue
        other = name.split(".")[1]
        if other in GROUND or other == room or not (PORTAL / other).exists() and not (PORTAL / f"{other}.py").exists():
            continue
        assert other in MAY_KNOW[room], f"{room} must not know {other}"


@pytest.mark.parametrize("name", PURE)
def test_a_pure_room_imports_nothing_of_flask(name: str) -> None:
    assert not {module for module in imports(PORTAL / name) if module.startswith(("flask", "portal.database"))}


def test_every_room_has_its_rule() -> None:
    rooms = {room_of(path) for path in modules()} - GROUND - {"__init__"}
    assert rooms == set(MAY_KNOW)


def test_only_three_files_know_rq() -> None:
    knowing = {
        str(path.relative_to(PORTAL))
        for path in modules()
        if any(name.split(".")[0] in ("rq", "rq_scheduler") for name in imports(path))
    }
    assert knowing == KNOW_RQ


def test_only_the_lifecycle_writes_a_jobs_status() -> None:
    """`status=` in a call that writes, outside the verbs and the making of a new job."""
    writing = set()
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and any(word.arg == "status" for word in node.keywords):
                name = ast.unparse(node.func)
                if name.endswith((".values", "_change", "_move", "ScrapingJob")):
                    writing.add(str(path.relative_to(PORTAL)))
            targets = node.targets if isinstance(node, ast.Assign) else []
            if any(isinstance(target, ast.Attribute) and target.attr == "status" for target in targets):
                writing.add(str(path.relative_to(PORTAL)))
    assert writing <= {"jobs/lifecycle.py", "jobs/moving.py", "jobs/commands.py", "jobs/by_hand.py"}


def test_no_status_is_spelled_out_outside_its_enum() -> None:
    words = {"pending", "processing", "retrying", "cancelled"}
    for path in modules():
        if str(path.relative_to(PORTAL)) in ("jobs/status.py",):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare):
                spelled = {c.value for c in ast.walk(node) if isinstance(c, ast.Constant) and isinstance(c.value, str)}
                assert not spelled & words, f"{path}: compares with a status in quotes"


def test_no_view_asks_the_database_itself() -> None:
    for path in (PORTAL / "web").glob("*.py"):
        if path.name in ("access.py", "health.py"):  # the first opens the transaction, the second asks if it answers
            continue
        assert not {"sqlalchemy", "sqlalchemy.select"} & imports(path), f"{path.name} has a query"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PORTAL)))
def test_every_file_says_what_it_is_and_stays_small(path: Path) -> None:
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "no docstring"
    assert len(text.splitlines()) <= 250, "split it by what it does"
