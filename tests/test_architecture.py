"""The rooms of the package: imports go down only, what is optional is imported in one place, and files stay small."""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import agent_airlock

SOURCE: Final = Path(agent_airlock.__file__).parent
MODULES: Final = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix("__init__").rstrip("."): path
    for path in sorted(SOURCE.rglob("*.py"))
}
"""By name within the package; the package's own ``__init__`` is the empty name."""

ROOMS: Final[tuple[tuple[str, ...], ...]] = (
    ("values", "money", "exceptions", "durations", "freezing", "beneath"),
    ("context", "identity", "call", "events", "observing"),
    ("ledger",),
    ("rates", "prices", "price_rows", "price_facts", "tokens"),
    ("dialects",),
    ("checks",),
    ("tiers", "tier_blocks", "reconciliation", "cost", "policy_prices"),
    ("scopes", "windows", "caps", "rate_limits", "budget_index", "budgets"),
    ("journal", "spend", "cost_tracking", "sdk_credit"),
    ("policy_fields", "policy", "config", "policy_tables", "policy_reader", "policy_file", "policy_writer"),
    ("policy_presets",),
    ("self_heal",),
    ("estimating", "checking", "quote", "actual", "telling", "gate"),
    ("exchange",),
    ("integrations", "wrap", "binding", "decorator"),
    ("testing",),
    ("gateway",),
    ("cli",),
)
"""From the bottom up. Within a room, and up to its own, a module may import; never from a room above."""

REQUIRED: Final[dict[str, set[str]]] = {
    "pydantic": {"checks", "policy_tables", "policy_reader"},
    "pydantic_core": {"checks"},
    "genai_prices": {"prices"},
    "apsw": {"ledger"},
}
"""What every install has → the rooms that import it."""
OPTIONAL: Final[dict[str, str]] = {
    "tomli_w": "policy_writer",
    "typer": "cli.terminal",
    "rich": "cli.terminal",
}
"""What an extra brings → the one module that imports it, and fails with the exact ``pip install`` line."""

LONG_FILES: Final[dict[str, int]] = {}
"""Files over 400 lines. It only shrinks: whoever makes one shorter writes the new length here."""
LONG_FUNCTIONS: Final[dict[str, int]] = {}
"""Functions over 60 lines, their docstrings not counted. It only shrinks."""


def room_of(module: str) -> int:
    top = module.partition(".")[0]
    found = [place for place, room in enumerate(ROOMS) if top in room]
    assert found, f"{module} is in no room: write it into ROOMS"
    return found[0]


def imports(module: str, *, lazy: bool = True) -> Iterator[tuple[str, int]]:
    """What a module imports at run time, absolute, with the line. ``lazy``: inside functions too."""
    path = MODULES[module]
    package = [] if not module else module.split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in _run_time(ast.parse(path.read_text(encoding="utf-8")), lazy):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif node.level:
            base = package[: len(package) - node.level + 1]
            for alias in node.names:
                whole = ".".join([*base, *(node.module or "").split(".")]).strip(".")
                deeper = f"{whole}.{alias.name}".strip(".")
                yield "agent_airlock." + (deeper if deeper in MODULES else whole), node.lineno
        else:
            yield node.module or "", node.lineno


def _run_time(tree: ast.AST, lazy: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for other in node.orelse:
                yield from _run_time(other, lazy)
        elif lazy or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _run_time(node, lazy)


def own(module: str, *, lazy: bool = True) -> Iterator[tuple[str, int]]:
    """The modules of the package that a module imports."""
    for name, line in imports(module, lazy=lazy):
        if name.startswith("agent_airlock."):
            yield name.removeprefix("agent_airlock."), line


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_imports_go_down_only(module: str) -> None:
    mine = room_of(module)
    up = [f"line {line}: {other}" for other, line in own(module) if room_of(other) > mine]
    assert up == [], f"{module} is in room {mine}, {ROOMS[mine]}, and imports from above"


def test_the_surface_imports_nothing_until_it_is_asked() -> None:
    assert list(own("", lazy=False)) == []


def test_no_two_modules_import_each_other() -> None:
    graph = {module: {other for other, _ in own(module, lazy=False)} for module in MODULES}
    done: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " → ".join([*path, module])
        if module not in done:
            for other in graph.get(module, ()):
                walk(other, (*path, module))
            done.add(module)

    for module in graph:
        walk(module, ())


def test_what_is_not_ours_is_imported_in_one_place() -> None:
    users: dict[str, set[str]] = defaultdict(set)
    for module in MODULES:
        for name, _ in imports(module):
            users[name.partition(".")[0]].add(module)
    outside = {name: users[name] for name in users.keys() - sys.stdlib_module_names - {"agent_airlock"}}
    places = {
        name: {module.partition(".")[0] for module in modules} if name in REQUIRED else modules
        for name, modules in outside.items()
    }
    assert places == REQUIRED | {name: {place} for name, place in OPTIONAL.items()}


def test_no_file_is_over_400_lines_but_those_of_a_list_that_only_shrinks() -> None:
    lengths = {module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in MODULES.items()}
    _only_shrinks({module: length for module, length in lengths.items() if length > 400}, LONG_FILES)


def test_no_function_is_over_60_lines_but_those_of_a_list_that_only_shrinks() -> None:
    long: dict[str, int] = {}
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = _length(node)
                if length > 60:
                    long[f"{module}.{node.name}"] = length
    _only_shrinks(long, LONG_FUNCTIONS)


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    length = (node.end_lineno or 0) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node) is not None:
        length -= (first.end_lineno or 0) - first.lineno + 1
    return length


def _only_shrinks(found: dict[str, int], allowed: dict[str, int]) -> None:
    grown = {name: length for name, length in found.items() if length > allowed.get(name, 0)}
    assert grown == {}, "usually two: split it"
    gone = set(allowed) - set(found)
    assert gone == set(), "short now: take it off the list"
