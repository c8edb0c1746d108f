"""The command as a process: what its user meets first."""

from __future__ import annotations

import importlib
import json
import tomllib
from pathlib import Path

import pytest

from agent_airlock.cli import INSTALL
from agent_airlock.cli.answers import MEANINGS, Code
from tests.cli.running import run, script, write

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def without(library: str) -> str:
    """Code that hides an installed library, as where the extra is not installed."""
    return f"import sys\nsys.modules[{library!r}] = None"


@pytest.mark.parametrize("library", ["typer", "rich"])
def test_without_its_extra_it_says_exactly_what_to_install(library: str, tmp_path: Path) -> None:
    ended = script("policy", "check", write(tmp_path, ""), before=without(library))
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", f"{INSTALL}\n")


def test_without_what_writes_toml_it_says_exactly_what_to_install(tmp_path: Path) -> None:
    ended = script("policy", "show", write(tmp_path, ""), before=without("tomli_w"))
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", f"{INSTALL}\n")


def test_a_library_that_the_package_itself_needs_is_not_said_to_be_of_the_extra() -> None:
    ended = script("prices", "show", "gpt-5", before=without("genai_prices"))
    assert ended.returncode == 1
    assert INSTALL not in ended.stderr
    assert "genai_prices" in ended.stderr


def test_what_to_install_names_the_package_and_an_extra_that_it_has() -> None:
    assert f"pip install '{PROJECT['name']}[cli]'" == INSTALL
    assert {line.partition(">")[0] for line in PROJECT["optional-dependencies"]["cli"]} == {"rich", "tomli-w", "typer"}


def test_the_script_is_an_entry_point() -> None:
    module, _, function = PROJECT["scripts"]["airlock"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_the_version_loads_neither_prices_nor_policies_nor_what_draws_tables() -> None:
    unwanted = ("genai_prices", "agent_airlock.policy", "agent_airlock.policy_reader", "rich", "asyncio")
    look = f"import atexit, sys\natexit.register(lambda: print([n for n in {unwanted} if n in sys.modules]))"
    ended = script("--version", "--json", before=look)
    assert ended.stdout.endswith("}\n[]\n")


def test_a_whole_command_in_a_process(tmp_path: Path) -> None:
    path = write(tmp_path, "[[budgets]]\nscope = 'global'\nlimit = '5 USD'\n")
    ended = script("policy", "check", "--json", AIRLOCK_POLICY=str(path))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)["file"] == str(path)


def test_a_wrong_file_is_no_traceback(tmp_path: Path) -> None:
    ended = script("policy", "show", write(tmp_path, "[[budgets]]\nscope = 1\n"))
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr


def test_what_the_terminal_has_no_letters_for_is_written_all_the_same(tmp_path: Path) -> None:
    path = write(tmp_path, "[policy]\nallowed_tools = ['é€']\n")
    for words in (("show",), ("show", "--toml"), ("check",)):
        ended = script("policy", words[0], path, *words[1:], PYTHONIOENCODING="ascii")
        assert (ended.returncode, ended.stderr) == (0, "")
    assert "\\xe9\\u20ac" in script("policy", "show", path, PYTHONIOENCODING="ascii").stdout


def test_every_exit_code_has_a_meaning_and_the_help_shows_them() -> None:
    shown = run("--help").stdout
    assert set(MEANINGS) == set(Code)
    for code, meaning in MEANINGS.items():
        assert f"  {code.value}  {meaning}\n" in shown


def test_the_help_is_the_same_wherever_it_is_asked_for(tmp_path: Path) -> None:
    plain = script("--help", COLUMNS="100")
    elsewhere = script("--help", COLUMNS="100", GITHUB_ACTIONS="true", FORCE_COLOR="1", TERM="xterm-256color")
    assert plain.stdout == elsewhere.stdout
    assert "\x1b" not in plain.stdout


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("nothing",),
        ("policy",),
        ("policy", "check", "--nothing"),
        ("--json",),
        ("--json", "policy", "check", "x"),
        ("policy", "check", "a", "b"),
        ("budget", "explain", "a"),
        ("prices", "show"),
    ],
)
def test_wrong_usage_ends_with_2_and_writes_to_stderr_alone(words: tuple[str, ...]) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: airlock" in result.stderr
