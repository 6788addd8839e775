"""The rooms of the house and the arrows between them, read from the imports as they are written.

A room is a folder. An import counts wherever it is written: inside a function and under TYPE_CHECKING too, so that no
circle hides there. Each test checks one rule and lists all its offenders.
"""

import ast
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PORTAL = ROOT / "portal"

# ── the arrows ──────────────────────────────────────────────────────────────────────────────────────────────────────

# Single files that every room may import, with what each may import itself.
GROUND: dict[str, set[str]] = {
    "causes": set(), "clock": set(), "config": {"setting_types"}, "setting_types": set(),
    "extensions": set(), "ids": set(), "logs": set(), "phone": set(),
    "tether": set(), "database": set(), "database_clock": {"database", "clock"}, "database_errors": set(),
    "database_move": {"database"}, "redis_client": set(),
    "audit": {"database"}, "seed_compat": {"database"},
}  # fmt: skip
# Which rooms a room may import, beside itself and the ground floor. A room inside another has the rule of the outer
# one, unless it has its own here.
LOWER = {"accounts", "documents", "sources"}
MAY_IMPORT: dict[str, set[str]] = {
    "net": set(),
    "accounts": set(),
    "documents": set(),
    "sources": {"net"},
    "notices": {"accounts", "sources", "net"},  # sources, for the title of one that a message names
    "jobs": {"notices", *LOWER},
    "jobs.worker": {"jobs", "notices", *LOWER, "__init__"},  # a worker makes the application that it works for
    "runner": {"notices"},  # which starts processes, and only judges NOTIFY_URLS before it does
    "cli": {"jobs", "notices", *LOWER},
    "web": {"jobs", "notices", *LOWER, "net"},  # net, as a webhook's page says why an address is refused
    "application": {"web", "cli", "jobs", "documents", "sources"},
    "__init__": {"application"},
}
# The rooms of jobs, the lowest first. A room imports only from lower floors; "jobs" are the files of jobs itself.
FLOORS_OF_JOBS = (
    {"jobs.core"},
    {"jobs.words", "jobs.metrics"},
    {"jobs.notify"},
    {"jobs.lifecycle"},
    {"jobs"},
    {"jobs.merge"},
    {"jobs.spending"},
    {"jobs.attempt", "jobs.export", "jobs.admin", "jobs.health", "jobs.files", "jobs.trials"},
    {"jobs.export.in_place"},
    {"jobs.export.in_place.ods"},
    {"jobs.export.copy", "jobs.export.summary"},
    {"jobs.export.__init__"},
    {"jobs.result", "jobs.number_erasure"},
    {"jobs.sweep"},
    {"jobs.worker"},
)
# Files that put the rooms inside their folder together: each is above its folder, and a room of its own.
ASSEMBLES = {
    "web",  # registers all pages, those of web.admin among them
    "cli",  # registers all commands, those of cli.seed_compat among them
    "jobs.export",  # gives a copy of the person's file, or a new one
    "jobs.export.summary",  # makes a sheet for the writers in place
    "jobs.export.copy",  # opens the person's file for the writers in place
    "documents.reader.child",  # reads a file, or converts an old workbook
    "notices.delivery",  # hands a notice to the e-mail, chat or webhook channel
    "sources.catalogue",  # reads recipes and makes HTTP sources of them
    "sources.catalogue_state",  # what it has read of them
    "sources.shelf",  # puts a recipe that ships with the portal among the others
    "sources.sampling",  # asks a recipe that is being written for one number
    "sources.selftest",  # reads a recipe's saved answers as an HTTP source would
    "sources.trial",  # looks up one number at a recipe's source, and shows all that was sent
}

# ── what pages may use ──────────────────────────────────────────────────────────────────────────────────────────────

# What changes a job or a notice, or does the work: pages call verbs of the public modules, which commit and enqueue.
INTERNAL = {
    "jobs.attempt", "jobs.sweep", "jobs.worker", "jobs.notify", "jobs.dispatch", "jobs.lifecycle", "jobs.erasure",
    "jobs.run_in_terminal", "jobs.metrics.record", "jobs.core", "notices.outbox", "notices.digests", "notices.delivery",
}  # fmt: skip
# Of jobs.core: words of a job, what is derived from its row, and the rows that queries return.
CORE_FOR_PAGES = {
    "jobs.core.status", "jobs.core.derived", "jobs.core.retention", "jobs.core.answer_samples", "jobs.core.job_tables",
    "jobs.core.bulk_tables", "jobs.core.changes", "jobs.core.erasure_tables", "jobs.core.repeat_rule",
    "jobs.core.answer_changes", "jobs.core.merge_tables", "jobs.core.step_tables",
}  # fmt: skip
# Views that use the database themselves: `access` opens a page's transaction for reading.
MAY_USE_THE_DATABASE = {"web.access"}

# ── what must stay light ────────────────────────────────────────────────────────────────────────────────────────────

# Rooms and files that work without Flask and without the database, whatever they import: the child that reads uploads
# starts with some of them in hundredths of a second, and all can be tested as plain functions.
PURE = {
    "causes", "clock", "config", "setting_types", "ids", "phone", "tether", "net", "runner",
    "documents.reader", "documents.check", "documents.comparison", "documents.storage", "documents.s3_storage",
    "documents.storage_choice",
    "sources.base", "sources.catalogue", "sources.offline", "sources.sampling", "sources.selftest", "sources.trial",
    "sources.editor", "sources.http", "sources.limits", "sources.recipes",
    "notices.kinds", "notices.chat.apprise_client",
    "jobs.core.status", "jobs.core.retry_backoff", "jobs.attempt.lookup_window", "jobs.attempt.number_queue",
    "jobs.metrics.histogram",
}  # fmt: skip
SPEAKS = {"sources.recipes.words"}  # in a pure room, and knows Flask-Babel
FLASK_OR_DATABASE = ("flask", "sqlalchemy", "database")
# What a job's lifecycle must not load: people's passwords and the channels that send.
NOT_FOR_LIFECYCLE = (
    "requests", "net", "accounts.admin", "accounts.password_links", "notices.password_mails", "notices.email",
    "notices.chat", "notices.webhook", "notices.delivery",
)  # fmt: skip
KNOW_RQ = {"jobs.dispatch", "jobs.worker.redis_repair", "jobs.worker.rq_worker", "jobs.worker.scheduler"}
WRITING_CALLS = (".values", "_change", "_move", "ScrapingJob")  # with status=
WRITE_STATUS = {"jobs.lifecycle", "jobs.starting", "jobs.core.hand_edits"}  # moves it; a new job; a move made by hand
MOST_MODULES = 25  # in a folder
LARGE = 350  # lines


# ── reading the code ────────────────────────────────────────────────────────────────────────────────────────────────


def _name(path: Path) -> str:
    """A module as it is named here: without `portal.`, a package by its folder, and portal itself as `__init__`."""
    parts = path.relative_to(PORTAL).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {_name(path): path for path in sorted(PORTAL.rglob("*.py")) if "migrations" not in path.parts}


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text())


def _imported(nodes: Iterable[ast.AST]) -> set[str]:
    """What the import statements among these name: our modules as in MODULES, any other by its full name."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update(_ours(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = (f"{node.module}.{alias.name}" for alias in node.names)
            found.update(_ours(name if _ours(name) in MODULES else node.module or "") for name in whole)
    return found


def _ours(name: str) -> str:
    return "__init__" if name == "portal" else name.removeprefix("portal.")


@cache
def imports(module: str) -> frozenset[str]:
    """Everything that a module imports, wherever it is written."""
    return frozenset(_imported(ast.walk(tree(module))) - {module})


@cache
def loads(module: str) -> Mapping[str, str]:
    """What importing a module loads, and through which module each is loaded: what is imported at the top of a file,
    not inside its functions or under TYPE_CHECKING, and the packages around it."""
    through, todo = {module: module}, [module]
    while todo:
        here = todo.pop()
        if here not in MODULES:
            continue
        around = {here.rsplit(".", depth)[0] for depth in range(1, here.count(".") + 1)}
        for name in sorted(_imported(_top_level(tree(here))) | around):
            if name not in through:
                through[name] = here
                todo.append(name)
    return through


def _top_level(node: ast.AST) -> Iterable[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield child
            yield from _top_level(child)


def way(module: str, loaded: str) -> str:
    """By which imports one module loads another."""
    through, steps = loads(module), [loaded]
    while steps[-1] != module:
        steps.append(through[steps[-1]])
    return " → ".join(reversed(steps))


def is_in(name: str, rooms: Iterable[str]) -> bool:
    """Whether a module is one of these or in one of these rooms."""
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def missing(names: Iterable[str]) -> list[str]:
    """Those that are no file or room: a rule about one that was renamed would hold for nothing."""
    return sorted(name for name in names if not any(is_in(module, [name]) for module in MODULES))


def room_of(module: str) -> str:
    """The folder of a module; a file of the ground floor, or one that assembles its folder, is a room of its own."""
    package = MODULES[module].name == "__init__.py"
    if module in ASSEMBLES:
        return f"{module}.__init__" if package else module
    return module if package else module.rpartition(".")[0] or module


def rule_for(module: str) -> str:
    """The key of MAY_IMPORT or GROUND that holds for a module: the longest that fits."""
    return max((name for name in (*MAY_IMPORT, *GROUND) if is_in(module, [name])), key=len, default="")


def circles(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """The circles of a graph, each once, as a chain of names."""
    found: dict[frozenset[str], str] = {}
    done: set[str] = set()

    def visit(node: str, path: list[str]) -> None:
        if node in path:
            circle = path[path.index(node) :]
            found.setdefault(frozenset(circle), " → ".join([*circle, node]))
        elif node not in done:
            for other in sorted(graph.get(node, ())):
                visit(other, [*path, node])
            done.add(node)

    for start in sorted(graph):
        visit(start, [])
    return list(found.values())


def offenders(wrong: Callable[[str], Iterable[str]], modules: Iterable[str] = MODULES) -> list[str]:
    return [f"{module}: {what}" for module in modules for what in sorted(wrong(module))]


# ── rooms and arrows ────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_room_has_its_rule() -> None:
    assert {module.split(".")[0] for module in MODULES} == {name for name in (*MAY_IMPORT, *GROUND) if "." not in name}
    assert {room_of(name) for name in MODULES if name.startswith("jobs.")} == set().union(*FLOORS_OF_JOBS)
    assert set(MODULES) >= ASSEMBLES


def test_arrows_run_one_way() -> None:
    def wrong(module: str) -> Iterable[str]:
        mine = rule_for(module)
        allowed = {mine} | (GROUND[mine] if mine in GROUND else MAY_IMPORT[mine] | set(GROUND))
        ours = (name for name in imports(module) if name in MODULES)
        return (f"must not import {name}" for name in ours if rule_for(name) not in allowed)

    assert offenders(wrong) == []


def test_the_rooms_of_jobs_are_built_on_each_other() -> None:
    floor = {room: number for number, rooms in enumerate(FLOORS_OF_JOBS) for room in rooms}

    def wrong(module: str) -> Iterable[str]:
        mine = room_of(module)
        for name in imports(module):
            other = room_of(name) if name in MODULES else ""
            if other in floor and other != mine and floor[other] >= floor[mine]:
                yield f"must not import {name}"

    assert offenders(wrong, [name for name in MODULES if is_in(name, ["jobs"])]) == []


def test_there_is_no_circle_between_files() -> None:
    assert circles({module: imports(module) for module in MODULES}) == []


def test_there_is_no_circle_between_rooms() -> None:
    graph: dict[str, set[str]] = {}
    for module in MODULES:
        others = {room_of(name) for name in imports(module) if name in MODULES}
        graph.setdefault(room_of(module), set()).update(others - {room_of(module)})
    assert circles(graph) == []


def test_a_folder_has_no_more_modules_than_one_can_look_over() -> None:
    folders = [path for path in (PORTAL, *PORTAL.rglob("*")) if path.is_dir() and "migrations" not in path.parts]
    counts = {str(folder.relative_to(ROOT)): len(list(folder.glob("*.py"))) for folder in folders}
    assert {folder: count for folder, count in counts.items() if count > MOST_MODULES + 1} == {}  # and __init__


# ── pages ───────────────────────────────────────────────────────────────────────────────────────────────────────────

VIEWS = [module for module in MODULES if is_in(module, ["web"])]


def test_views_use_no_database() -> None:
    def wrong(module: str) -> Iterable[str]:
        yield from (f"imports {name}" for name in imports(module) if is_in(name, ["sqlalchemy", "database"]))
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.Attribute) and ast.unparse(node).endswith(("db.session", ".commit")):
                yield f"line {node.lineno}: {ast.unparse(node)}"

    assert offenders(wrong, [view for view in VIEWS if view not in MAY_USE_THE_DATABASE]) == []


def test_pages_use_only_what_jobs_and_notices_offer_them() -> None:
    def wrong(module: str) -> Iterable[str]:
        used = {name for name in imports(module) if is_in(name, INTERNAL)} - CORE_FOR_PAGES
        return (f"must not import {name}" for name in used)

    assert offenders(wrong, VIEWS) == []
    assert missing(INTERNAL | CORE_FOR_PAGES) == []


# ── what loads what ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_pure_rooms_load_neither_flask_nor_the_database() -> None:
    def wrong(module: str) -> Iterable[str]:
        heavy = (name for name in loads(module) if name.startswith(FLASK_OR_DATABASE))
        return (way(module, name) for name in heavy)

    assert missing(PURE | SPEAKS) == []
    assert offenders(wrong, [module for module in MODULES if is_in(module, PURE) and module not in SPEAKS]) == []


def test_the_lifecycle_of_a_job_loads_no_channel_and_no_password() -> None:
    heavy = [name for name in loads("jobs.lifecycle") if is_in(name, NOT_FOR_LIFECYCLE)]
    assert [way("jobs.lifecycle", name) for name in heavy] == []
    assert missing({*NOT_FOR_LIFECYCLE} - {"requests"}) == []


def test_only_four_files_know_rq() -> None:
    knowing = {module for module in MODULES if any(is_in(name, ["rq", "rq_scheduler"]) for name in imports(module))}
    assert knowing == KNOW_RQ


# ── words with one owner ────────────────────────────────────────────────────────────────────────────────────────────


def test_only_the_lifecycle_writes_a_jobs_status() -> None:
    """`status=` in a call that writes, outside the verbs and the making of a new job."""
    writing = set()
    for module in MODULES:
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(WRITING_CALLS):
                writing.update({module} if any(word.arg == "status" for word in node.keywords) else ())
            targets = node.targets if isinstance(node, ast.Assign) else []
            if any(isinstance(target, ast.Attribute) and target.attr == "status" for target in targets):
                writing.add(module)
    assert {"jobs.lifecycle" if is_in(module, ["jobs.lifecycle"]) else module for module in writing} == WRITE_STATUS


def test_no_status_or_kind_is_spelled_out_outside_its_enum() -> None:
    """Compared with a word in quotes. Only words that mean nothing else are looked for."""
    words = {
        "pending", "processing", "retrying", "cancelled",
        "job_failed", "job_fixed", "job_completed", "source_stopped", "source_back", "workers_away", "workers_back",
        "downloaded", "handed_back", "limits_set", "tickets_lost", "retry_due",
    }  # fmt: skip

    def wrong(module: str) -> Iterable[str]:
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.Compare):
                spelled = {c.value for c in ast.walk(node) if isinstance(c, ast.Constant) and isinstance(c.value, str)}
                yield from (f"line {node.lineno}: {word}" for word in spelled & words)

    assert offenders(wrong) == []


# ── every file ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_file_says_what_it_is() -> None:
    assert [module for module in MODULES if not ast.get_docstring(tree(module))] == []


def test_large_files_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """No failure: one class is not cut into five files to obey a figure. Read the list, and judge."""
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES.values()}
    large = sorted(((count, name) for name, count in lines.items() if count > LARGE), reverse=True)
    with capsys.disabled():
        for count, name in large:
            print(f"\n{name} has {count} lines", end="")
