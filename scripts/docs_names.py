"""Every public name, and the first line of what the code says of it."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import agent_airlock


def part(root: Path) -> str:
    """A table of ``agent_airlock``'s names, in order."""
    return "\n".join(("| name | what it is |", "| --- | --- |", *_rows()))


def _rows() -> Iterator[str]:
    rooms: dict[str, str] = agent_airlock._ROOMS
    for name in sorted(agent_airlock.__all__, key=str.casefold):
        value = getattr(agent_airlock, name)
        said = _first_line(value) if inspect.isclass(value) or inspect.isroutine(value) else _below(name, rooms[name])
        yield f"| `{name}` | {said} |"


def _first_line(value: Any) -> str:
    return _as_markdown(inspect.getdoc(value) or "")


def _as_markdown(docstring: str) -> str:
    said = docstring.partition("\n")[0].replace("``", "`").replace("|", "\\|")
    return re.sub(r":\w+:`(?:~[\w.]*\.)?([\w.]+)`", r"`\1`", said)


def _below(name: str, room: str) -> str:
    """The text that stands below a constant in its module."""
    module = importlib.import_module(f"agent_airlock.{room}")
    body = ast.parse(inspect.getsource(module)).body
    for statement, following in itertools.pairwise(body):
        targets = [statement.target] if isinstance(statement, ast.AnnAssign) else getattr(statement, "targets", [])
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            match following:
                case ast.Expr(value=ast.Constant(value=str(said))):
                    return _as_markdown(said)
                case _:
                    break
    raise ValueError(f"agent_airlock.{room}.{name} has no text below it")
