"""Runs a document: its Python and console blocks in order, in one process, in the folder where it stands.

A Python statement that ends with ``# -> text`` (or is followed by such a line) must print that text, or be an
expression with that repr. A ``toml`` block whose first line is ``# name.toml`` is written to that file. In a
``console`` block, lines that begin with ``$ airlock`` are run. What stands below one, if anything, is its output: ``…``
stands for any text, on a line of its own for any lines. It must end with 0, unless ``$ echo $?`` is the next command.

    python tests/docs/runner.py PATH
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
EXPECTED = "# -> "
COMMAND = (sys.executable, "-m", "agent_airlock.cli")

Shell = Callable[[list[str], dict[str, str]], tuple[int, str]]
"""From the words of a command and its environment to exit code and output."""


def blocks(text: str, *languages: str) -> Iterator[tuple[int, str, str]]:
    """The blocks of a document in these languages: lines before it, language, code."""
    for match in FENCE.finditer(text):
        if match["language"] in languages:
            yield text.count("\n", 0, match.start("code")), match["language"], match["code"]


# --- Python ---------------------------------------------------------------------------------------------------


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


# --- the command ----------------------------------------------------------------------------------------------


def shell(words: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """Run ``airlock`` as a reader of the document would, at a width and without colours that do not vary."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AIRLOCK_")}
    fixed = {"COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb", "PYTHONIOENCODING": "utf-8"}
    run = subprocess.run(
        [*COMMAND, *words[1:]],
        check=False,
        env=own | fixed | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=60,
    )
    return run.returncode, run.stdout


def run_console(code: str, run: Shell = shell, name: str = "<block>") -> int:
    """Run the ``airlock`` commands of a console block; how many there were.

    Raises:
        AssertionError: one ends with another code, or says something else, than the block has.
    """
    steps = [(step[0], step[1:]) for step in _steps(code)]
    ran = 0
    for number, (line, output) in enumerate(steps):
        words = shlex.split(line, comments=True)
        environment: dict[str, str] = {}
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            key, _, environment[key] = words.pop(0).partition("=")
        if not words or words[0] != "airlock":
            continue
        returncode, said = run(words, environment)
        following = steps[number + 1] if number + 1 < len(steps) else ("", [])
        expected = int(following[1][0]) if following[0] == "echo $?" else 0
        assert returncode == expected, f"{name}: {line}: exit code {returncode} is not {expected}\n{said}"
        if output:
            assert _as_pattern(output).fullmatch(_stripped(said)), f"{name}: {line}: the output is\n{said}"
        ran += 1
    return ran


def _steps(code: str) -> Iterator[list[str]]:
    """Each command of a console block, and the lines below it."""
    step: list[str] = []
    for line in code.splitlines():
        if line.startswith("$ "):
            if step:
                yield step
            step = [line.removeprefix("$ ")]
        elif step:
            step.append(line)
    if step:
        yield step


def _stripped(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines()) + "\n"


def _as_pattern(output: list[str]) -> re.Pattern[str]:
    lines = _stripped("\n".join(output)).splitlines()
    return re.compile(
        "".join(r"(?:.*\n)*?" if line.strip() == "…" else re.escape(line).replace("…", ".*") + "\n" for line in lines)
    )


# --- a document -----------------------------------------------------------------------------------------------


def run_document(path: Path) -> int:
    """Run all blocks of a document; how many ``# ->`` and commands were held.

    Raises:
        AssertionError: a block is not what it says.
    """
    text = path.read_text(encoding="utf-8")
    held = 0
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for line, language, code in blocks(text, "python", "toml", "console"):
        if language == "console":
            held += run_console(code, name=f"{path}:{line}")
        elif language == "python":
            arrows = run_block(code, namespace, str(path), line)
            assert arrows == code.count(EXPECTED), f"{path}:{line}: a '{EXPECTED}' belongs to nothing"
            held += arrows
        elif named := re.match(r"# ([\w-]+\.toml)\n", code):
            Path(named[1]).write_text(code, encoding="utf-8")
    return held


if __name__ == "__main__":
    run_document(Path(sys.argv[1]))
