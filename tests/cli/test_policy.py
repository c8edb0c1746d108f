"""``airlock policy``: problems, warnings, and what a policy says."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_airlock import load_policy
from agent_airlock.policy_file import MAX_BYTES
from tests.cli.running import ask, run, write

WHOLE = """
[policy]
allowed_tools = ["search_*", "ask"]
rate_limits = { "*" = "100/hour" }
lease = 90.5

[[budgets]]
scope = "global"
limit = "5 USD"
window = "day"
warn_at = 0.8

[prices]
"my-finetune" = { input = 3, output = 12.5 }

[ledger]
url = "postgresql://root:hunter2@db.example/ledger?sslpassword=hunter3&application_name=airlock"
"""

# --- check ----------------------------------------------------------------------------------------------------


def warnings_of(folder: Path, text: str) -> list[str]:
    code, said = ask("policy", "check", write(folder, text))
    assert (code, said["problems"]) == (0, [])
    return said["warnings"]


def test_a_policy_without_problems_is_fine(tmp_path: Path) -> None:
    path = write(tmp_path, WHOLE)
    result = run("policy", "check", path)
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"ok: {path} is a policy\n", "")
    digest = load_policy(path).digest
    assert ask("policy", "check", path) == (
        0,
        {"ok": True, "file": str(path), "problems": [], "warnings": [], "digest": digest},
    )


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "[policy]\nalowed_tools = []\nmode = 'off'\n[[budgets]]\nlimit = '1 USD'\n")
    result = run("policy", "check", path)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{path}: policy.mode: input should be 'enforce' or 'observe'",
        f"{path}: policy.alowed_tools: unknown key; did you mean 'allowed_tools'?",
        f"{path}: budgets[0].scope: field required",
    ]
    code, said = ask("policy", "check", path)
    assert code == 1
    assert (said["ok"], len(said["problems"]), said["warnings"], said["digest"]) == (False, 3, [], None)


def test_a_warning_fails_only_where_it_is_asked_to(tmp_path: Path) -> None:
    path = write(tmp_path, "[[budgets]]\nscope = 'session:*'\nlimit = '1 USD'\n")
    assert run("policy", "check", path).exit_code == 0
    assert run("policy", "check", path).stdout.endswith(f"ok: {path} is a policy, with 1 warning\n")
    assert run("policy", "check", path, "--strict").exit_code == 1
    assert ask("policy", "check", path, "--strict")[1]["ok"] is False


@pytest.mark.parametrize("words", [("check",), ("show",)])
def test_a_file_that_is_not_there_ends_with_3(words: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    result = run("policy", *words, path)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == f"{path}: No such file or directory\n"
    problems = ["No such file or directory"]
    assert ask("policy", *words, path) == (3, {"ok": False, "file": str(path), "problems": problems})


def test_a_folder_ends_with_3(tmp_path: Path) -> None:
    assert run("policy", "check", tmp_path).exit_code == 3


def test_the_file_is_else_the_one_of_the_environment(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    assert ask("policy", "check", AIRLOCK_POLICY=str(path))[1]["file"] == str(path)
    assert ask("policy", "check", path, AIRLOCK_POLICY="nowhere")[1]["file"] == str(path)


@pytest.mark.parametrize("value", [None, ""])
def test_no_file_at_all_is_wrong_usage(value: str | None) -> None:
    result = run("policy", "check", AIRLOCK_POLICY=value)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "name an airlock.toml, or set AIRLOCK_POLICY" in result.stderr


# --- warnings -------------------------------------------------------------------------------------------------

UNBOUNDED = "ids can be made up"


@pytest.mark.parametrize("scope", ["session:*", "agent:*", "user:*", "agent:*+tier:mid", "session:*+team:-"])
def test_a_budget_over_ids_that_can_be_made_up_is_told(scope: str, tmp_path: Path) -> None:
    (told,) = warnings_of(tmp_path, f"[[budgets]]\nscope = '{scope}'\nlimit = '1 USD'\n")
    assert UNBOUNDED in told
    assert told.startswith(f"budgets[0]: {scope!r}")


@pytest.mark.parametrize(
    ("scope", "around"),
    [
        ("agent:*", "global"),
        ("agent:*", "tool:*"),
        ("agent:*+tier:mid", "tier:mid"),
        ("agent:*+team:red+tier:mid", "team:*+tier:mid"),
        ("session:*+team:-", "team:-"),
    ],
)
def test_a_fixed_scope_around_it_is_enough(scope: str, around: str, tmp_path: Path) -> None:
    text = f"[[budgets]]\nscope = '{scope}'\nlimit = '1 USD'\n[[budgets]]\nscope = '{around}'\nlimit = '5 USD'\n"
    assert warnings_of(tmp_path, text) == []


@pytest.mark.parametrize(
    "around",
    [
        "scope = 'agent:crawler'\nlimit = '5 USD'",
        "scope = 'team:red'\nlimit = '5 USD'",
        "scope = 'team:-'\nlimit = '5 USD'",
        "scope = 'global'\nlimit = '5 USD'\nwindow = 'call'",
        "scope = 'global'\nlimit = '5 calls'",
        "scope = 'global'\nlimit = '5 USD'\nmode = 'observe'",
    ],
)
def test_what_does_not_stand_around_it_is_not_enough(around: str, tmp_path: Path) -> None:
    told = warnings_of(tmp_path, f"[[budgets]]\nscope = 'agent:*'\nlimit = '1 USD'\n[[budgets]]\n{around}\n")
    assert [one for one in told if UNBOUNDED in one and one.startswith("budgets[0]")]


@pytest.mark.parametrize("budget", ["limit = '1 USD'\nwindow = 'call'", "limit = '1 USD'\nmode = 'observe'"])
def test_what_adds_up_or_blocks_nothing_needs_none_around_it(budget: str, tmp_path: Path) -> None:
    told = warnings_of(tmp_path, f"[[budgets]]\nscope = 'agent:*'\n{budget}\n")
    assert [one for one in told if UNBOUNDED in one] == []


def test_every_mode_that_observes_is_told(tmp_path: Path) -> None:
    text = """
[policy]
mode = "observe"
access_mode = "observe"
arguments_mode = "observe"
rate_limits = { "*" = { limit = "5/hour", mode = "observe" }, "a" = "5/hour" }
[tiers]
strict = "one"
mode = "observe"
one = {}
[[budgets]]
scope = "global"
limit = "1 USD"
mode = "observe"
[filesystem]
allowed_roots = ["."]
mode = "observe"
[endpoints."*"]
mode = "observe"
[capabilities]
granted = []
mode = "observe"
"""
    assert sorted(warnings_of(tmp_path, text)) == [
        f"{key}: 'observe' blocks nothing"
        for key in (
            "budgets[0].mode",
            "capabilities.mode",
            "endpoints.*.mode",
            "filesystem.mode",
            "policy.access_mode",
            "policy.arguments_mode",
            "policy.mode",
            "policy.rate_limits.*.mode",
            "tiers.mode",
        )
    ]


@pytest.mark.parametrize(
    ("allowed", "denied"), [("search", "search"), ("search_*", "*"), ("search_web", "search_*"), ("a?", "a*")]
)
def test_a_glob_that_allows_nothing_is_told(allowed: str, denied: str, tmp_path: Path) -> None:
    text = f"[policy]\nallowed_tools = ['{allowed}', 'other_b']\ndenied_tools = ['none', '{denied}']\n"
    told = warnings_of(tmp_path, text)
    assert told[0] == f"policy.allowed_tools: {allowed!r} allows nothing, because denied_tools has {denied!r}"


@pytest.mark.parametrize(
    ("allowed", "denied"), [("search_*", "search_x"), ("a*", "a?"), ("a[bc]d", "*b*"), ("b", "[ab]"), ("*", "a*")]
)
def test_a_glob_that_may_allow_something_is_not_told(allowed: str, denied: str, tmp_path: Path) -> None:
    assert warnings_of(tmp_path, f"[policy]\nallowed_tools = ['{allowed}']\ndenied_tools = ['{denied}']\n") == []


@pytest.mark.parametrize("policy", ["default_deny = true", "denied_tools = ['*']"])
def test_a_policy_under_which_no_tool_may_be_called_is_told(policy: str, tmp_path: Path) -> None:
    (told,) = warnings_of(tmp_path, f"[policy]\n{policy}\n")
    assert "no tool may be called" in told


def test_what_python_code_would_be_warned_of_is_told(tmp_path: Path) -> None:
    text = """
[tiers]
strict = "mid"
mid = { max_cost_cents = 10 }
small = { max_cost_cents = 2 }
[[budgets]]
scope = "global"
limit = "1 USD"
[[budgets]]
scope = "global"
limit = "2 USD"
"""
    lower, merged = warnings_of(tmp_path, text)
    assert lower.startswith("tier 'small' has a lower cost cap than the strict tier 'mid'")
    assert merged == "budgets: two budgets for 'global' a total in usd: the lower limit holds"


def test_a_budget_that_counts_nothing_is_told(tmp_path: Path) -> None:
    text = """
[tiers]
strict = "mid"
mid = {}
[[budgets]]
scope = "tier:midd"
limit = "1 USD"
[[budgets]]
scope = "model:fast"
limit = "1 USD"
[model_aliases]
fast = "claude-haiku-5-5"
"""
    assert warnings_of(tmp_path, text) == [
        "budgets[0]: counts nothing: 'midd' is no tier; known are mid",
        "budgets[1]: counts nothing: 'fast' is an alias, and is counted as 'claude-haiku-5-5'",
    ]


def test_an_alias_of_a_model_without_a_price_is_told(tmp_path: Path) -> None:
    text = "[model_aliases]\na = 'no-such-model'\nb = 'gpt-5'\nc = 'mine'\n[prices]\nmine = { input = 1, output = 2 }\n"
    assert warnings_of(tmp_path, text) == ["model_aliases.a: no price is known for 'no-such-model'"]


def test_old_prices_are_told(tmp_path: Path, old_prices: None) -> None:
    (told,) = warnings_of(tmp_path, "")
    assert told.startswith("prices: the shipped ones are ")


# --- show -----------------------------------------------------------------------------------------------------


def test_show_says_what_is_not_at_its_default(tmp_path: Path) -> None:
    path = write(tmp_path, WHOLE)
    result = run("policy", "show", path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert (
        result.stdout
        == f"""\
{path}
digest                     {load_policy(path).digest}
budgets[0].scope           global
budgets[0].limit           5 USD
budgets[0].window          day
budgets[0].warn_at         0.8
allowed_tools              search_*, ask
lease                      90.5
rate_limits.*              100/hour
prices.my-finetune.input   3
prices.my-finetune.output  12.5
ledger.url                 postgresql://***@db.example/ledger?sslpassword=***&application_name=airlock
"""
    )


def test_show_as_json_has_the_tables_of_the_file_with_exact_numbers(tmp_path: Path) -> None:
    code, said = ask("policy", "show", write(tmp_path, WHOLE))
    assert code == 0
    assert said["tables"]["prices"] == {"my-finetune": {"input": 3, "output": "12.5"}}
    assert said["tables"]["policy"]["lease"] == "90.5"
    assert said["tables"]["budgets"][0]["scope"] == "global"


def test_the_digest_alone(tmp_path: Path) -> None:
    path = write(tmp_path, WHOLE)
    digest = load_policy(path).digest
    assert run("policy", "show", path, "--digest").stdout == f"{digest}\n"
    assert ask("policy", "show", path, "--digest") == (0, {"ok": True, "file": str(path), "digest": digest})


def test_the_toml_alone_reads_back_to_the_same_digest(tmp_path: Path) -> None:
    path = write(tmp_path, WHOLE)
    again = write(tmp_path, run("policy", "show", path, "--toml").stdout, "again.toml")
    assert load_policy(again).digest == load_policy(path).digest
    assert ask("policy", "show", path, "--toml")[1]["toml"] == again.read_text(encoding="utf-8")


@pytest.mark.parametrize("how", [[], ["--toml"], ["--json"], ["--toml", "--json"]])
def test_no_password_is_shown(how: list[str], tmp_path: Path) -> None:
    shown = run("policy", "show", write(tmp_path, WHOLE), *how).output
    assert "db.example" in shown
    assert "hunter" not in shown


def test_show_of_a_wrong_file_ends_with_1_and_tells_why_on_stderr(tmp_path: Path) -> None:
    path = write(tmp_path, "[policy]\nmode = 'off'\n")
    result = run("policy", "show", path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"{path}: policy.mode: input should be 'enforce' or 'observe'\n"


# --- hostile files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"a = 1\x00",
        b"[" * 100_000,
        b"a = " + b"[" * 100_000,
        b"a." * 50_000 + b"a = 1",
        b"a = '" + b"x" * MAX_BYTES + b"'",
        b"[budgets]\nscope = 1",
        b"[[policy]]",
        b"a = 2024-13-45",
        b"[prices]\nx = { input = nan, output = inf }",
        b'[policy]\nrate_limits = { "\\u001b[2J" = "\\u0007" }',
        b'"\\u001b]0;owned\\u0007" = 1',
        b'"\\u202egnp" = 1',
    ],
)
def test_a_hostile_file_is_a_problem_and_moves_no_cursor(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "airlock.toml"
    path.write_bytes(content)
    result = run("policy", "check", path)
    assert result.exit_code == 1
    assert all(line.isprintable() for line in result.stdout.splitlines())
    assert ask("policy", "check", path)[1]["ok"] is False


def test_a_file_whose_name_moves_the_cursor_is_written_plainly(tmp_path: Path) -> None:
    path = write(tmp_path, "", "\x1b[2J.toml")
    assert "\\x1b[2J.toml is a policy" in run("policy", "check", path).stdout
