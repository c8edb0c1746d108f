"""Which test holds which rule of docs/rules.md: read from the tests' names and first words, without running them.

A test has its rule's number in its name: ``test_rule_3_…``, or ``test_money_3_…`` where it goes through a whole gate.
Where it holds several, the first words of its docstring say so: ``Rules 1, 2 and 8``. A scenario is a file named
``rule_3_….txt``. A file whose docstring begins with ``Rule 8:`` holds that rule as a whole.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_RULE: Final = re.compile(r"^(\d+)\. (.*?)(?=^\d+\. |\Z)", re.MULTILINE | re.DOTALL)
_NAME: Final = re.compile(r"(?:test_)?(?:rule|money)_(\d+)_(.*)")
_FIRST_WORDS: Final = re.compile(r"Rules? ((?:\d+, )*\d+(?: and \d+)?)\b")
_WHOLE_FILE: Final = re.compile(r"Rule (\d+):")

WIDTH: Final = 120


@dataclass(frozen=True, slots=True, order=True)
class Holder:
    """What holds a rule: a file, and what it says of itself (empty for the whole file)."""

    file: str
    says: str


def rules(root: Path) -> dict[int, str]:
    """Number → text, as docs/rules.md has them."""
    text = (root / "docs" / "rules.md").read_text(encoding="utf-8")
    return {int(number): " ".join(rule.split()) for number, rule in _RULE.findall(text)}


def holders(root: Path) -> dict[int, list[Holder]]:
    """Rule → all that holds it, in order."""
    found: defaultdict[int, set[Holder]] = defaultdict(set)
    for path in (root / "tests").rglob("*.py"):
        for number, says in _in_file(ast.parse(path.read_text(encoding="utf-8"))):
            found[number].add(Holder(path.relative_to(root).as_posix(), says))
    for path in (root / "tests").rglob("scenarios/*.txt"):
        if named := _NAME.fullmatch(path.stem):
            found[int(named[1])].add(Holder(path.relative_to(root).as_posix(), ""))
    return {number: sorted(found[number]) for number in sorted(found)}


def _in_file(module: ast.Module) -> Iterator[tuple[int, str]]:
    whole = _WHOLE_FILE.match(ast.get_docstring(module) or "")
    if whole:
        yield int(whole[1]), ""
    for node in ast.walk(module):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
            named = _NAME.fullmatch(node.name)
            says = (named[2] if named else node.name.removeprefix("test_")).replace("_", " ")
            for number in {*([int(named[1])] if named else []), *_first_words(ast.get_docstring(node))}:
                if not whole or int(whole[1]) != number:
                    yield number, says


def _first_words(docstring: str | None) -> list[int]:
    found = _FIRST_WORDS.match(docstring or "")
    return [int(number) for number in re.findall(r"\d+", found[1])] if found else []


def part(root: Path) -> str:
    """Each rule, and below it the tests that hold it."""
    found = holders(root)
    return "\n\n".join(_section(number, rule, found.get(number, [])) for number, rule in rules(root).items())


def _section(number: int, rule: str, holders: list[Holder]) -> str:
    lines = [f"## Rule {number}", "", textwrap.fill(rule, WIDTH), ""]
    if not holders:
        lines.append("No test yet.")
    for file, said in _by_file(holders).items():
        item = f"- `{file}`: {'; '.join(said)}" if any(said) else f"- `{file}`, all of it"
        lines.append(textwrap.fill(item, WIDTH, subsequent_indent="  ", break_on_hyphens=False))
    return "\n".join(lines)


def _by_file(holders: list[Holder]) -> Mapping[str, list[str]]:
    files: defaultdict[str, list[str]] = defaultdict(list)
    for holder in holders:
        files[holder.file].append(holder.says)
    return files
