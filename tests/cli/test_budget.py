"""``airlock budget explain``: where a call counts, and why."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_airlock import (
    Airlock,
    AirlockContext,
    Budget,
    Cost,
    MemoryLedger,
    ModelTierBudget,
    SecurityPolicy,
    TierBudget,
)
from agent_airlock.cli.explaining import explain
from agent_airlock.cli.loading import noted
from agent_airlock.ledger.commands import Balances
from agent_airlock.scopes import KINDS
from agent_airlock.windows import Window
from tests.cli.running import ask, run, write
from tests.ledger.clock import Clock

AT = ("--at", "2026-11-25T14:30:00Z")
WHOLE = """
[policy]
rate_limits = { "*" = "100/hour", "s_*" = { limit = "5/minute", mode = "observe" } }

[tiers]
strict = "small"
small = { max_cost_cents = 2 }
mid = { max_cost_cents = 10, max_output_tokens = 2000 }

[[budgets]]
scope = "agent:*"
limit = "5 USD"
window = "day"
warn_at = 0.8

[[budgets]]
scope = "agent:crawler"
limit = "20 USD"
window = "day"

[[budgets]]
scope = "global"
limit = "1 USD"
window = "call"

[[budgets]]
scope = "user:*"
limit = "2_000_000 tokens"
window = "month"
mode = "observe"

[model_aliases]
fast = "claude-haiku-5-5"
"""


def test_it_says_where_a_call_counts_and_why(tmp_path: Path) -> None:
    words = ("--agent", "crawler", "--tier", "mid", "--tool", "s_web", "--model", "fast", *AT)
    result = run("budget", "explain", write(tmp_path, WHOLE), *words)
    assert (result.exit_code, result.stderr) == (0, "")
    assert (
        result.stdout
        == """\
a call of agent crawler, tier mid, tool s_web, model claude-haiku-5-5, at 2026-11-25T14:30:00Z
tier mid (named): at most 10 cents a call, at most 2,000 tokens of output
a call: at most 1 USD (global)
counts in
account                            limit                                    until                 because of
rate:%2A+agent:crawler             100 calls an hour                        2026-11-25T15:00:00Z  rate limit *
observed:rate:s_%2A+agent:crawler  5 calls a minute, observed only          2026-11-25T14:31:00Z  rate limit s_*
agent:crawler                      20 USD a day                             2026-11-26T00:00:00Z  agent:crawler
observed:user:-                    2,000,000 tokens a month, observed only  2026-12-01T00:00:00Z  user:*
not budgets[0] (agent:*, 5 USD a day): 'agent:crawler' names more of the call
"""
    )


def test_as_json_it_has_the_same(tmp_path: Path) -> None:
    code, said = ask("budget", "explain", write(tmp_path, WHOLE), "--tool", "ask", "--session", "s1", *AT)
    assert (code, said["ok"], said["blocked"], said["at"]) == (0, True, None, "2026-11-25T14:30:00Z")
    assert said["call"] == {**dict.fromkeys(KINDS), "session": "s1", "tool": "ask", "tier": "small"}
    assert said["tier"] == {
        "label": "small",
        "why": "no tier is named, so the strict one holds",
        "max_cost_cents": 2,
        "max_output_tokens": None,
        "mode": "enforce",
    }
    assert said["limits"][1] == {
        "kind": "budget",
        "name": "agent:*",
        "account": "agent:-/day/usd/1795564800000-1795651200000",
        "limit": 5_000_000_000,
        "unit": "usd",
        "window": "day",
        "ends": "2026-11-26T00:00:00Z",
        "warn_at": 4_000_000_000,
        "mode": "enforce",
    }
    assert said["limits"][3] == {
        "kind": "call",
        "name": "global",
        "account": None,
        "limit": 1_000_000_000,
        "unit": "usd",
        "window": "call",
        "ends": None,
        "warn_at": None,
        "mode": "enforce",
    }
    assert said["replaced"] == []
    assert said["aside"] == [{"budget": "budgets[1]", "scope": "agent:crawler", "why": "the call has no agent"}]


def test_a_policy_without_limits_says_so(tmp_path: Path) -> None:
    result = run("budget", "explain", write(tmp_path, ""), "--tool", "ask", *AT)
    assert result.stdout == "a call of tool ask, at 2026-11-25T14:30:00Z\ncounts in no account\n"


def test_on_a_narrow_terminal_an_account_is_still_one_word(tmp_path: Path) -> None:
    path = write(tmp_path, WHOLE)
    narrow = run("budget", "explain", path, "--tool", "ask", *AT, COLUMNS="30").stdout
    assert "account: agent:-\n  limit: 5 USD a day, warns at 4 USD\n  until: 2026-11-26T00:00:00Z\n" in narrow


# --- calls that are not allowed -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "words", "why"),
    [
        ("[policy]\ndenied_tools = ['ask']", (), "the policy denies the tool 'ask'"),
        ("[policy]\nrequire_agent_id = true", (), "only a named agent"),
        ("[policy]\ntime_restrictions = { ask = '09:00-14:30' }", (), "from 09:00-14:30 a day"),
        ("[tiers]\nstrict = 'one'\none = {}", ("--tier", "two"), "unknown tier 'two'; known tiers: one"),
    ],
)
def test_a_call_that_is_not_allowed_ends_with_1(policy: str, words: tuple[str, ...], why: str, tmp_path: Path) -> None:
    path = write(tmp_path, policy)
    result = run("budget", "explain", path, "--tool", "ask", *words, *AT)
    assert result.exit_code == 1
    assert why in result.stdout
    code, said = ask("budget", "explain", path, "--tool", "ask", *words, *AT)
    assert (code, said["ok"]) == (1, False)
    assert why in said["blocked"]


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("[policy]\ndenied_tools = ['ask']\nmode = 'observe'", ()),
        ("[policy]\ndenied_tools = ['ask']\naccess_mode = 'observe'", ()),
        ("[policy]\nallowed_roles = ['ops']", ()),
        ("[tiers]\nstrict = 'one'\nmode = 'observe'\none = {}", ("--tier", "two")),
    ],
)
def test_what_only_observes_or_asks_for_a_role_blocks_nothing_here(
    policy: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    assert ask("budget", "explain", write(tmp_path, policy), "--tool", "ask", *words, *AT)[0] == 0


# --- wrong usage ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "at",
    ["yesterday", "2026-11-25", "2026-11-25T14:00:00", "1969-12-31T23:59:59Z", "9999-01-01T00:00:00Z", "", "9" * 99],
)
def test_a_time_without_a_zone_or_out_of_reach_is_wrong_usage(at: str, tmp_path: Path) -> None:
    result = run("budget", "explain", write(tmp_path, WHOLE), "--tool", "ask", "--at", at)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--at" in result.stderr


@pytest.mark.parametrize("at", ["1970-01-01T00:00:00Z", "9998-12-31T23:59:59Z", "2026-11-25T14:30:00.5+01:00"])
def test_every_time_within_reach_is_explained(at: str, tmp_path: Path) -> None:
    assert run("budget", "explain", write(tmp_path, WHOLE), "--tool", "ask", "--at", at).exit_code == 0


@pytest.mark.parametrize("value", ["", "x" * 257, "\udcff" * 100])
def test_a_value_that_no_account_can_have_is_wrong_usage(value: str, tmp_path: Path) -> None:
    result = run("budget", "explain", write(tmp_path, WHOLE), "--tool", "ask", "--agent", value)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--agent" in result.stderr


@pytest.mark.parametrize("value", ["\udcff", "\x1b[2J", "a+b:*%-", "-", "é"])
def test_any_other_value_is_explained(value: str, tmp_path: Path) -> None:
    path = write(tmp_path, WHOLE)
    words = ("budget", "explain", path, "--tool", "ask", "--agent=" + value, *AT)
    result = run(*words)
    assert result.exit_code == 0
    assert all(line.isprintable() for line in result.stdout.splitlines())
    assert ask(*words)[1]["call"]["agent"] == value


# --- it agrees with the gate ----------------------------------------------------------------------------------

VALUES = st.sampled_from([None, "a", "b"])
PARTS = st.sampled_from(["agent:*", "agent:a", "agent:-", "tool:*", "tool:search", "tier:*", "tier:mid", "session:*"])


@st.composite
def budgets(draw: st.DrawFn) -> Budget:
    by_kind = {part.partition(":")[0]: part for part in draw(st.lists(PARTS, max_size=3))}
    scope = "+".join(by_kind.values()) or "global"
    window = draw(st.sampled_from([window.value for window in Window]))
    return Budget(
        scope, f"{draw(st.integers(1, 3))} calls", window=window, mode=draw(st.sampled_from(["enforce", "observe"]))
    )


@given(st.lists(budgets(), max_size=6), VALUES, VALUES, st.booleans())
def test_it_names_the_accounts_that_the_gate_then_books_a_call_on(
    limits: list[Budget], agent: str | None, session: str | None, observe: bool
) -> None:
    policy = SecurityPolicy(
        budgets=limits,
        rate_limits={"s*": "9/day", "other": "1/day"},
        model_tier_budget=ModelTierBudget({"mid": TierBudget()}, "mid"),
        mode="observe" if observe else "enforce",
    )
    clock = Clock()
    ledger = MemoryLedger(clock=clock)

    def search() -> None: ...

    def book() -> set[str]:
        with AirlockContext(agent_id=agent, session_id=session):
            assert Airlock(policy=policy, ledger=ledger, cost=Cost("0.01 USD"))(search)() is None
        return {balance.account.id for balance in ledger.apply(Balances())}

    booked, _ = noted(book)
    values = {**dict.fromkeys(KINDS), "tool": "search", "agent": agent, "session": session}
    found, _ = noted(lambda: explain(policy, values, ledger.now_ms()))
    assert {one.account.id for one in found.counted if one.kind != "call"} == booked
    places = [one.place for one in (*found.replaced, *found.aside)]
    assert len(set(places)) == len(places)
    assert len([one for one in found.counted if one.kind != "rate"]) + len(places) == len(limits)


def test_of_two_budgets_on_one_account_the_lower_limit_holds_and_the_other_is_told(tmp_path: Path) -> None:
    text = "\n".join(f"[[budgets]]\nscope = 'tool:ask'\nlimit = '{limit} calls'\n" for limit in (7, 5, 5))
    said = ask("budget", "explain", write(tmp_path, text), "--tool", "ask", *AT)[1]
    assert [one["limit"] for one in said["limits"]] == [5]
    why = "of several on one account the lower limit holds"
    assert said["replaced"] == [
        {"budget": f"budgets[{place}]", "scope": "tool:ask", "by": "tool:ask", "why": why} for place in (0, 2)
    ]


def test_a_limit_of_one_call_is_replaced_by_one_that_names_more(tmp_path: Path) -> None:
    text = "\n".join(f"[[budgets]]\nscope = '{s}'\nlimit = '1 USD'\nwindow = 'call'" for s in ("tool:*", "tool:ask"))
    said = ask("budget", "explain", write(tmp_path, text), "--tool", "ask", *AT)[1]
    assert [(one["kind"], one["name"]) for one in said["limits"]] == [("call", "tool:ask")]
    assert said["replaced"][0]["by"] == "tool:ask"
