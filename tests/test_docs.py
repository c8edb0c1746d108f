"""Every Python block of the documents runs, and says what it says.

The blocks of one file run in order, in one namespace and a process of its own, with warnings as errors. A statement
that ends with ``# -> text`` (or is followed by such a line) must print that text, or be an expression with that repr.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = [ROOT / name for name in ("README.md", "SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md")]
FILES += sorted((ROOT / "docs").glob("*.md"))
FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)(?P<path>[^)#]*)(?:#(?P<anchor>[^)]*))?\)")
EXPECTED = "# -> "


def blocks(text: str) -> Iterator[tuple[int, str]]:
    """The Python blocks of a document, each with the lines before it."""
    for match in FENCE.finditer(text):
        if match["language"] == "python":
            yield text.count("\n", 0, match.start("code")), match["code"]


WITH_BLOCKS = [path for path in FILES if list(blocks(path.read_text(encoding="utf-8")))]


def expected_after(statement: ast.stmt, lines: list[str]) -> str | None:
    """What ``# ->`` says of a statement: at the end of its last line, or on the line after it."""
    last = statement.end_lineno or statement.lineno
    tail = lines[last - 1].encode()[statement.end_col_offset :].decode()  # offsets are bytes
    if EXPECTED in tail:
        return tail.partition(EXPECTED)[2].strip()
    following = lines[last].strip() if last < len(lines) else ""
    return following.removeprefix(EXPECTED).strip() if following.startswith(EXPECTED) else None


def run_block(code: str, namespace: dict[str, Any], name: str = "<block>", line: int = 0) -> int:
    """Run one block; how many of its ``# ->`` were held.

    Raises:
        AssertionError: a statement is not what its comment says.
    """
    lines = code.splitlines()
    held = 0
    for statement in ast.parse(code).body:
        expected = expected_after(statement, lines)
        ast.increment_lineno(statement, line)
        if expected is None:
            exec(compile(ast.Module([statement], []), name, "exec", dont_inherit=True), namespace)
            continue
        printed = io.StringIO()
        value = None
        with contextlib.redirect_stdout(printed):
            if isinstance(statement, ast.Expr):
                value = eval(compile(ast.Expression(statement.value), name, "eval", dont_inherit=True), namespace)
            else:
                exec(compile(ast.Module([statement], []), name, "exec", dont_inherit=True), namespace)
        found = printed.getvalue().strip() if value is None and printed.getvalue() else repr(value)
        assert found == expected, f"{name}:{statement.lineno}: {found!r} is not {expected!r}"
        held += 1
    return held


def run_document(path: Path) -> int:
    """Run all blocks of a document; how many ``# ->`` were held."""
    text = path.read_text(encoding="utf-8")
    held = 0
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for line, code in blocks(text):
        held += run_block(code, namespace, str(path), line)
    assert held == sum(code.count(EXPECTED) for _, code in blocks(text)), f"{path}: a '{EXPECTED}' belongs to nothing"
    return held


@pytest.mark.parametrize("path", WITH_BLOCKS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_python_blocks_run_and_say_what_they_say(path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", __file__, str(path)],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    prose = FENCE.sub("", path.read_text(encoding="utf-8"))
    for match in LINK.finditer(prose):
        target = (path.parent / match["path"]).resolve() if match["path"] else path
        assert target.exists(), f"{path.name} links to {match['path']}"
        if match["anchor"]:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert match["anchor"] in anchors, f"{path.name} links to {match[0]}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_fence_names_its_language(path: Path) -> None:
    for match in FENCE.finditer(path.read_text(encoding="utf-8")):
        assert match["language"] in ("python", "text", "console", "toml"), f"{path.name}: {match[0][:60]}"


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("1 + 1  # -> 3", "'2' is not '3'"),
        ("print('a')\n# -> b", "'a' is not 'b'"),
        ("x = 1  # -> 1", "'None' is not '1'"),
    ],
)
def test_a_wrong_arrow_is_found(code: str, problem: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(problem)):
        run_block(code, {})


def test_a_right_arrow_is_held() -> None:
    assert run_block("x = [1]\nx  # -> [1]\nprint('é', x)  # -> é [1]\nprint(2)\n# -> 2", {}) == 3


if __name__ == "__main__":
    run_document(Path(sys.argv[1]))
