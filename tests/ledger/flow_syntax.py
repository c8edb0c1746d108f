"""What a flow may not do, read from its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

_NESTED: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_EVERYTHING: Final = {"BaseException", ""}


def flows(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    """The functions that are annotated ``-> Flow[...]``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and isinstance(node.returns, ast.Subscript):
            name = node.returns.value
            if getattr(name, "id", getattr(name, "attr", None)) == "Flow":
                yield node


def faults(flow: ast.FunctionDef) -> list[str]:
    """Where the flow yields while something is open, or after ``GeneratorExit``: ``line: why``."""
    found: list[str] = []
    for node in _own(flow.body):
        if isinstance(node, ast.With | ast.AsyncWith):
            found += [f"{line}: yields inside a with" for line in _yields(node.body)]
        elif isinstance(node, ast.Try | ast.TryStar):
            found += [f"{line}: yields in a finally" for line in _yields(node.finalbody)]
            found += _after_generator_exit(node)
    return sorted(set(found))


def _after_generator_exit(node: ast.Try | ast.TryStar) -> Iterator[str]:
    """Handlers that may meet ``GeneratorExit`` and yield: until one before them takes it away."""
    for handler in node.handlers:
        names = _names(handler)
        if "GeneratorExit" in names or names & _EVERYTHING:
            yield from (f"{line}: yields after GeneratorExit" for line in _yields(handler.body))
            return


def _names(handler: ast.ExceptHandler) -> set[str]:
    kind = handler.type
    if kind is None:
        return {""}
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return {getattr(one, "id", getattr(one, "attr", "")) for one in kinds}


def _own(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """All nodes of these statements, without those of functions and classes inside."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _NESTED):
            waiting.extend(ast.iter_child_nodes(node))


def _yields(body: list[ast.stmt]) -> list[int]:
    return [node.lineno for node in _own(body) if isinstance(node, ast.Yield | ast.YieldFrom)]
