"""The reference pages name everything that there is, and nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import agent_airlock
from agent_airlock import BlockReason

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(agent_airlock.__file__).parent
DOCS = sorted(path for path in (ROOT / "docs").rglob("*.md") if path.name != "rules.md")


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def first_cells(text: str) -> set[str]:
    """What stands in backticks in the first column of a page's tables."""
    rows = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_every_block_reason_is_in_the_table_of_answers() -> None:
    blocks = page("reference/answers.md").partition("## What a block holds")[0]
    assert set(re.findall(r"^\| \d+ \| `(\w+)` \|", blocks, re.MULTILINE)) == set(BlockReason)


def test_every_variable_that_the_package_reads_is_in_the_table_of_the_environment() -> None:
    read = {
        name
        for path in PACKAGE.rglob("*.py")
        for name in re.findall(r'"(AIRLOCK_[A-Z_]+)"', path.read_text(encoding="utf-8"))
    }
    named = {name for name in first_cells(page("reference/environment.md")) if name.startswith("AIRLOCK_")}
    assert named == read


def test_every_page_is_in_the_navigation_once() -> None:
    # `make docs` sees to it too; here it needs no tool for documents.
    named = re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("nav:")[2])
    assert sorted(named) == sorted(path.relative_to(ROOT / "docs").as_posix() for path in DOCS)
