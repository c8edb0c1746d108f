"""Runs the command: in this process, or as the real script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from agent_airlock.cli.app import app

PLAIN = {"COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb"}


def run(*words: str | Path, **environment: str | None) -> Result:
    """The command in this process; what it raises and does not answer is raised here."""
    env: dict[str, str | None] = {"AIRLOCK_POLICY": None, "FORCE_COLOR": None, **PLAIN, **environment}
    return CliRunner().invoke(app, [str(word) for word in words], env=env, prog_name="airlock", catch_exceptions=False)


def ask(*words: str | Path, **environment: str | None) -> tuple[int, dict[str, Any]]:
    """The exit code and the one JSON object of a command; there is nothing else."""
    result = run(*words, "--json", **environment)
    assert result.stderr == ""
    return result.exit_code, json.loads(result.stdout)


def script(*words: str | Path, before: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own. ``before`` is run ahead of it, in the same process."""
    start = [sys.executable, "-m", "agent_airlock.cli"]
    if before:
        start = [sys.executable, "-c", f"{before}\nfrom agent_airlock.cli import main\nmain()"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("AIRLOCK_")}
    return subprocess.run(
        [*start, *map(str, words)],
        check=False,
        env=own | PLAIN | {"PYTHONIOENCODING": "utf-8"} | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


def write(folder: Path, text: str, name: str = "airlock.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
