"""The help of the ``airlock`` command and of each command below it, as it is printed at a fixed width."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_COMMANDS: Final = re.compile(r"^Commands:\n((?:  .*\n?)+)", re.MULTILINE)
_NAME: Final = re.compile(r"^  ([a-z][a-z-]*)", re.MULTILINE)
_FIXED: Final = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "PYTHONIOENCODING": "utf-8"}


def part(root: Path) -> str:
    """A section for each command, from the outside in."""
    return "\n\n".join(_sections(()))


def _sections(words: tuple[str, ...]) -> Iterator[str]:
    said = help_of(words)
    yield f"### `{' '.join(('airlock', *words))}`\n\n```text\n{said}```"
    below = _COMMANDS.search(said)
    for name in _NAME.findall(below[1]) if below else ():
        yield from _sections((*words, name))


def help_of(words: tuple[str, ...]) -> str:
    """What ``airlock WORDS --help`` prints.

    Raises:
        RuntimeError: it ends with an error, such as that the extra is missing.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("AIRLOCK_")}
    run = subprocess.run(
        [sys.executable, "-m", "agent_airlock.cli", *words, "--help"],
        check=False,
        capture_output=True,
        encoding="utf-8",
        env=own | _FIXED,
    )
    if run.returncode != 0:
        raise RuntimeError(f"airlock {' '.join(words)} --help ended with {run.returncode}: {run.stderr}")
    return "".join(f"{line.rstrip()}\n" for line in run.stdout.strip().splitlines())
