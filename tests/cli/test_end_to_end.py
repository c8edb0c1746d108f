"""The ``airlock`` command as a shell runs it: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import agent_airlock
from agent_airlock import load_policy

POLICY = """
[policy]
allowed_tools = ["search_*", "ask"]
rate_limits = { "*" = "100/hour" }

[tiers]
strict = "small"
small = { max_cost_cents = 2, max_output_tokens = 1000 }

[[budgets]]
scope = "agent:*"
limit = "5 USD"
window = "day"

[[budgets]]
scope = "agent:crawler"
limit = "20 USD"
window = "day"

[[budgets]]
scope = "global"
limit = "50 USD"
mode = "observe"

[model_aliases]
"gateway/fast" = "claude-haiku-5-5"

[ledger]
url = "memory:"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "airlock.toml"
    path.write_text(POLICY)
    return path


def airlock(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "agent_airlock.cli", *map(str, arguments)],
        env={"PYTHONPATH": ":".join(sys.path), "COLUMNS": "100", "PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def answered(*arguments: object, code: int = 0, **environment: str) -> Any:
    done = airlock(*arguments, "--json", **environment)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_the_version_has_the_date_of_the_prices() -> None:
    done = airlock("--version")
    assert done.returncode == 0
    assert "prices of 20" in done.stdout
    assert "airlock" in airlock("--help").stdout


def test_a_policy_that_is_one_is_ok_and_a_wildcard_alone_is_worth_a_warning(file: Path) -> None:
    done = airlock("policy", "check", file)
    assert (done.returncode, "ok" in done.stdout + done.stderr) == (0, True)
    assert "agent:*" in done.stdout + done.stderr
    assert airlock("policy", "check", file, "--strict").returncode == 1


def test_every_problem_of_a_policy_is_told_and_the_answer_is_no(file: Path) -> None:
    file.write_text(POLICY.replace("rate_limits", "rate_limit").replace("allowed_tools", "allowed_tool"))
    done = airlock("policy", "check", file)
    assert done.returncode == 1
    assert "did you mean 'rate_limits'?" in done.stdout + done.stderr
    assert "did you mean 'allowed_tools'?" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert answered("policy", "check", file, code=1)["ok"] is False


def test_a_file_that_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    done = airlock("policy", "check", tmp_path / "none.toml")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


def test_the_file_may_be_named_by_the_environment(file: Path) -> None:
    assert airlock("policy", "check", AIRLOCK_POLICY=str(file)).returncode == 0
    assert airlock("policy", "check").returncode == 2


def test_the_digest_is_that_of_the_file(file: Path) -> None:
    assert airlock("policy", "show", file, "--digest").stdout.strip() == load_policy(file).digest


def test_a_policy_is_shown_as_a_file_that_reads_back_equal(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(airlock("policy", "show", file, "--toml").stdout)
    assert load_policy(other) == load_policy(file)


def test_the_accounts_of_a_call_are_explained_with_what_they_replace(file: Path) -> None:
    said = airlock(
        "budget", "explain", file, "--agent", "crawler", "--tier", "small", "--tool", "ask", "--model", "gateway/fast"
    ).stdout
    assert "claude-haiku-5-5" in said
    assert "20 USD" in said
    assert "rate:%2A+agent:crawler" in said
    assert "observed:global" in said
    assert "not budgets[0]" in said, "agent:* is replaced"
    told = answered("budget", "explain", file, "--agent", "crawler", "--tool", "ask")
    assert [limit["kind"] for limit in told["limits"]].count("budget") == 2


def test_a_call_that_no_budget_would_ever_see_is_explained_too(file: Path) -> None:
    told = answered("budget", "explain", file, "--tool", "delete", code=1)
    assert told["blocked"] is not None


def test_a_card_is_shown_with_its_source_and_what_usage_costs() -> None:
    told = airlock("prices", "show", "claude-haiku-5-5", "--usage", "input=1000000,output=0")
    assert told.returncode == 0
    assert "genai-prices" in told.stdout
    assert "USD" in told.stdout
    assert airlock("prices", "show", "no-such-model").returncode == 1
    assert airlock("prices", "show", "claude-haiku-5-5", "--usage", "inptu=5").returncode == 2


@pytest.mark.parametrize("arguments", [["polcy"], ["policy", "check", "--nope"], ["budget", "explain", "--at", "noon"]])
def test_wrong_usage_ends_with_2(arguments: list[str], file: Path) -> None:
    assert airlock(*arguments, AIRLOCK_POLICY=str(file)).returncode == 2


def test_nothing_is_coloured_where_nobody_looks(file: Path) -> None:
    for arguments in (["policy", "check", file], ["prices", "show", "claude-haiku-5-5"], ["--help"]):
        assert "\033" not in airlock(*arguments).stdout


def test_a_password_in_the_ledgers_url_is_not_shown(file: Path) -> None:
    file.write_text(POLICY.replace("memory:", "postgresql://user:hunter2@host/db"))
    for arguments in (["policy", "check", file], ["policy", "show", file], ["policy", "show", file, "--json"]):
        done = airlock(*arguments)
        assert "hunter2" not in done.stdout + done.stderr


def test_without_its_extra_the_script_says_what_to_install(tmp_path: Path) -> None:
    for name in ("typer", "rich", "tomli_w"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('No module named {name}', name={name!r})")
    path = f"{tmp_path}:{Path(agent_airlock.__file__).parent.parent}:{':'.join(sys.path)}"
    done = airlock("policy", "check", PYTHONPATH=path)
    assert done.returncode == 2
    assert "pip install 'agent-airlock-ledger[cli]'" in done.stderr
    assert "Traceback" not in done.stderr
