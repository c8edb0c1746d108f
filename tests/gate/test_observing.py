"""A quiet way in: what only observes counts and tells what it would block, and blocks nothing."""

from __future__ import annotations

from typing import Any

import pytest

from agent_airlock import (
    Airlock,
    AirlockConfig,
    AirlockContext,
    Budget,
    BudgetConfig,
    Capability,
    CapabilityPolicy,
    Cost,
    CostTracker,
    EndpointPolicy,
    Event,
    EventKind,
    FilesystemPolicy,
    MemoryLedger,
    ModelTierBudget,
    RateLimit,
    SecurityPolicy,
    TierBudget,
    requires,
    set_global_tracker,
)
from agent_airlock.events import counts
from agent_airlock.exceptions import LedgerUnavailable
from agent_airlock.ledger.commands import Reserve
from tests.gate.rig import Events, Scripted, balances, priced

TIERS = ModelTierBudget({"small": TierBudget(1, 10)}, "small")


def everything(tmp_path: Any, **policy: Any) -> tuple[SecurityPolicy, dict[str, Any]]:
    """A policy and a configuration of which every check blocks the calls of :func:`touch`."""
    made = SecurityPolicy(
        denied_tools=["touch"],
        rate_limits={"*": "0/hour"},
        capability_policy=CapabilityPolicy(Capability.NONE),
        model_tier_budget=TIERS,
        budgets=[Budget("global", "0.000001 USD"), Budget("tool:*", "1 token", window="call")],
        **policy,
    )
    return made, {
        "filesystem_policy": FilesystemPolicy([tmp_path / "in"]),
        "endpoint_policies": {"*": EndpointPolicy(("example.com",))},
    }


@requires(Capability.PROCESS_SHELL)
def touch(path: str, url: str) -> str:
    return "ran"


CALL = {"path": "/etc/passwd", "url": "http://127.0.0.1/"}


def would(events: Events) -> list[str]:
    return [str(event.fields["check"]) for event in events.of(EventKind.WOULD_BLOCK)]


def test_a_policy_that_observes_blocks_nothing_and_tells_each_check(
    tmp_path: Any, ledger: MemoryLedger, events: Events
) -> None:
    policy, checks = everything(tmp_path, mode="observe")
    gated: Any = Airlock(policy=policy, ledger=ledger, config=AirlockConfig(**checks, on_event=events.heard.append))(
        touch
    )
    before = counts().get(EventKind.WOULD_BLOCK, 0)
    assert gated(**CALL, _airlock_input_tokens=10_000) == "ran"
    assert would(events) == ["access", "capabilities", "paths", "endpoints", "tier", "budgets", "budgets", "budgets"]
    assert counts()[EventKind.WOULD_BLOCK] - before == 8, "counted"
    assert events.of(EventKind.BLOCKED) == []
    assert {name.partition(":")[0] for name in balances(ledger)} == {"observed"}, "and counted in accounts"


def test_the_same_policy_enforced_blocks(tmp_path: Any, ledger: MemoryLedger) -> None:
    policy, checks = everything(tmp_path)
    gated: Any = Airlock(policy=policy, ledger=ledger, config=AirlockConfig(**checks))(touch)
    assert gated(**CALL)["status"] == "blocked"


ONE_BY_ONE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("access", {"denied_tools": ["touch"], "access_mode": "observe"}, {}),
    ("access", {"require_agent_id": True, "access_mode": "observe"}, {}),
    ("access", {"time_restrictions": {"*": "12:00-12:01"}, "access_mode": "observe"}, {}),
    ("capabilities", {"capability_policy": CapabilityPolicy(Capability.NONE, mode="observe")}, {}),
    ("capabilities", {}, {"capability_policy": CapabilityPolicy(Capability.NONE, mode="observe")}),
    ("paths", {}, {"filesystem_policy": FilesystemPolicy(["/nowhere"], mode="observe")}),
    ("endpoints", {}, {"endpoint_policies": {"*": EndpointPolicy(mode="observe")}}),
    ("tier", {"model_tier_budget": ModelTierBudget(TIERS.tiers, "small", mode="observe")}, {}),
    ("budgets", {"rate_limits": {"*": RateLimit(0, "hour", mode="observe")}}, {}),
    ("budgets", {"budgets": [Budget("global", "0 calls", mode="observe")]}, {}),
]


@pytest.mark.parametrize(("check", "policy", "config"), ONE_BY_ONE)
def test_one_check_observes_and_the_others_go_on_blocking(
    check: str, policy: dict[str, Any], config: dict[str, Any], ledger: MemoryLedger, events: Events
) -> None:
    def gate(**more: Any) -> Any:
        return Airlock(
            policy=SecurityPolicy(**policy, **more),
            ledger=ledger,
            config=AirlockConfig(**config, on_event=events.heard.append),
        )(touch)

    assert gate()(**CALL, _airlock_input_tokens=10_000_000) == "ran"
    assert would(events) == [check]
    assert gate()(path=5, url="x")["block_reason"] == "validation_error"
    assert gate()(path="a")["block_reason"] == "validation_error"


def test_arguments_that_are_observed_reach_the_function_as_they_came(ledger: MemoryLedger, events: Events) -> None:
    config = AirlockConfig(arguments_mode="observe", on_event=events.heard.append)

    @Airlock(ledger=ledger, config=config)
    def double(number: int) -> int:
        return number * 2

    gated: Any = double
    assert gated("ab") == "abab"
    with pytest.raises(TypeError, match="numbr"):
        gated(numbr=2)
    assert would(events) == ["arguments", "arguments"]


def test_a_policy_that_observes_runs_what_cannot_be_priced_or_tagged(ledger: MemoryLedger, events: Events) -> None:
    set_global_tracker(CostTracker())
    policy = SecurityPolicy(model_tier_budget=TIERS, budgets=[Budget("session:*", "1 USD")], mode="observe")
    gated: Any = Airlock(policy=policy, ledger=ledger, config=events.config)(touch)
    for tags in (
        {"_airlock_tier": "gold"},
        {"_airlock_tier": 5},
        {"_airlock_model_id": "no-such-model"},
        {"_airlock_input_tokens": -1},
    ):
        assert gated(**CALL, **tags) == "ran"
    with AirlockContext(session_id="s" * 300):
        assert gated(**CALL) == "ran"
    assert len(events.of(EventKind.WOULD_BLOCK)) >= 5


def test_a_policy_that_observes_runs_without_a_ledger_that_answers(events: Events) -> None:
    def fail() -> None:
        raise LedgerUnavailable("gone")

    ledger = Scripted(Reserve, before=fail)
    policy = SecurityPolicy(budgets=[Budget("global", "1 USD")], mode="observe")
    gated: Any = Airlock(policy=policy, ledger=ledger, cost=Cost("0.1 USD"), config=events.config)(touch)
    assert gated(**CALL) == "ran"
    assert [(event.fields["check"], event.fields["reason"]) for event in events.of(EventKind.WOULD_BLOCK)] == [
        ("ledger", "ledger_unavailable")
    ]


def test_the_caps_of_a_tracker_are_not_the_policys_and_stay(ledger: MemoryLedger) -> None:
    set_global_tracker(priced(budget=BudgetConfig(max_cost_per_session="0.10")))
    gated: Any = Airlock(policy=SecurityPolicy(mode="observe"), ledger=ledger, cost=Cost("0.08 USD"))(touch)
    assert gated(**CALL) == "ran"
    assert gated(**CALL)["block_reason"] == "budget_exceeded"


def test_a_tier_that_observes_does_not_let_an_enforced_budget_be_passed(ledger: MemoryLedger, events: Events) -> None:
    policy = SecurityPolicy(
        model_tier_budget=ModelTierBudget(TIERS.tiers, "small", mode="observe"), budgets=[Budget("global", "0.05 USD")]
    )
    gated: Any = Airlock(policy=policy, ledger=ledger, config=events.config)(touch)
    tags = {"_airlock_input_tokens": 1_000, "_airlock_max_output_tokens": 20_000}  # 0.041 USD by the easy prices
    assert gated(**CALL, **tags) == "ran"
    assert gated(**CALL, **tags)["block_reason"] == "budget_exceeded"


def test_enforced_and_observed_budgets_of_one_scope_share_no_account(ledger: MemoryLedger) -> None:
    budgets = [Budget("global", "0.02 USD"), Budget("global", "0.01 USD", mode="observe")]
    gated: Any = Airlock(policy=SecurityPolicy(budgets=budgets), ledger=ledger, cost=Cost("0.01 USD"))(touch)
    assert [gated(**CALL) for _ in range(2)] == ["ran", "ran"]
    assert gated(**CALL)["block_reason"] == "budget_exceeded"
    assert set(balances(ledger)) == {"global/usd", "observed:global/usd"}


def test_a_policy_with_both_kinds_of_a_budget_may_observe_as_a_whole(ledger: MemoryLedger) -> None:
    budgets = [Budget("global", "0.02 USD"), Budget("global", "0.01 USD", mode="observe")]
    policy = SecurityPolicy(budgets=budgets, mode="observe")
    gated: Any = Airlock(policy=policy, ledger=ledger, cost=Cost("0.05 USD"))(touch)
    assert [gated(**CALL) for _ in range(2)] == ["ran", "ran"]


def test_a_policy_that_stops_observing_blocks_at_the_next_call(ledger: MemoryLedger) -> None:
    policy = SecurityPolicy(denied_tools=["touch"], mode="observe")
    gated: Any = Airlock(policy=policy, ledger=ledger)(touch)
    assert gated(**CALL) == "ran"
    policy.mode = "enforce"
    assert gated(**CALL)["block_reason"] == "policy_violation"


def test_what_would_block_is_a_warning_in_the_log_with_its_fields(
    ledger: MemoryLedger, caplog: pytest.LogCaptureFixture
) -> None:
    gated: Any = Airlock(policy=SecurityPolicy(denied_tools=["*"], mode="observe"), ledger=ledger)(touch)
    gated(**CALL)
    (record,) = [record for record in caplog.records if getattr(record, "airlock_event", None) == "would_block"]
    assert (record.levelname, record.airlock_check, record.airlock_reason) == (  # type: ignore[attr-defined]
        "WARNING",
        "access",
        "policy_violation",
    )


def test_every_event_has_the_fields_that_the_schema_says(tmp_path: Any, ledger: MemoryLedger) -> None:
    from agent_airlock.events import SCHEMA

    heard: list[Event] = []
    policy, checks = everything(tmp_path, mode="observe")
    config = AirlockConfig(**checks, on_event=heard.append)
    Airlock(policy=policy, ledger=ledger, config=config, cost=Cost("0.01 USD"))(touch)(**CALL)
    Airlock(policy=SecurityPolicy(denied_tools=["*"]), ledger=ledger, config=config)(touch)(**CALL)
    assert {event.kind for event in heard} >= {"admitted", "blocked", "would_block", "settled"}
    for event in heard:
        assert set(event.fields) == set(SCHEMA[event.kind].fields), event.kind
    assert set(SCHEMA) == set(EventKind)


def test_budgets_that_all_observe_stop_no_call_whose_session_has_too_long_a_name(events: Events) -> None:
    policy = SecurityPolicy(budgets=[Budget("session:*", "1 USD", mode="observe")])
    gated: Any = Airlock(policy=policy, ledger=MemoryLedger(), cost=Cost("0.1 USD"), config=events.config)(touch)
    with AirlockContext(session_id="s" * 300):
        assert gated(**CALL) == "ran"
    assert would(events) == ["budgets"]


def test_a_policy_that_observes_does_not_open_the_trackers_cap_when_its_ledger_is_down() -> None:
    def fail() -> None:
        raise LedgerUnavailable("gone")

    book = Scripted(Reserve, before=fail)
    set_global_tracker(priced(budget=BudgetConfig(max_cost_per_session="0.05"), ledger=book))
    gated: Any = Airlock(policy=SecurityPolicy(mode="observe"), ledger=MemoryLedger(), cost=Cost("0.01 USD"))(touch)
    assert gated(**CALL)["block_reason"] == "ledger_unavailable"


def test_a_call_whose_tier_is_only_observed_counts_in_the_budgets_of_its_model_and_tier(ledger: MemoryLedger) -> None:
    set_global_tracker(CostTracker())
    tiers = ModelTierBudget({"frontier": TierBudget(1, 10), "small": TierBudget(1, 10)}, "small", mode="observe")
    for scope in ("model:no-such-model", "tier:frontier"):
        policy = SecurityPolicy(model_tier_budget=tiers, budgets=[Budget(scope, "2 calls")])
        gated: Any = Airlock(policy=policy, ledger=ledger)(touch)
        tags = {"_airlock_model_id": "no-such-model", "_airlock_tier": "frontier"}
        answers = [gated(**CALL, **tags) for _ in range(4)]
        assert [answer == "ran" for answer in answers] == [True, True, False, False], scope


def test_a_path_policy_that_observes_alone_lets_through_what_cannot_be_looked_through(events: Events) -> None:
    config = AirlockConfig(filesystem_policy=FilesystemPolicy(["/"], mode="observe"), on_event=events.heard.append)

    @Airlock(config=config, ledger=MemoryLedger())
    def many(paths: list[str]) -> int:
        return len(paths)

    assert many(["/a"] * 20_000) == 20_000
    assert "arguments" in would(events)


@pytest.mark.parametrize("kind", ["generator", "async generator"])
async def test_a_stream_that_cannot_begin_with_observed_arguments_leaves_no_hold(
    kind: str, ledger: MemoryLedger
) -> None:
    def items(text: str) -> Any:
        yield text

    async def stream(text: str) -> Any:
        yield text

    policy = SecurityPolicy(budgets=[Budget("global", "1 USD")])
    config = AirlockConfig(arguments_mode="observe")
    options: dict[str, Any] = {"policy": policy, "ledger": ledger, "config": config, "cost": Cost("0.1 USD")}
    gated: Any = Airlock(**options)(items if kind == "generator" else stream)
    begun = gated()
    with pytest.raises(TypeError, match="text"):
        _ = next(begun) if kind == "generator" else await anext(begun)
    assert balances(ledger)["global/usd"].held == 0


def test_defaults_are_looked_at_and_the_gates_keywords_left_out_where_arguments_are_observed(
    tmp_path: Any, ledger: MemoryLedger
) -> None:
    config = AirlockConfig(arguments_mode="observe", filesystem_policy=FilesystemPolicy([tmp_path]))

    @Airlock(policy=SecurityPolicy(tags="context"), config=config, ledger=ledger)
    def read(number: int, path: str = "/etc/passwd", **more: Any) -> Any:
        return more

    gated: Any = read
    assert gated("five")["block_reason"] == "path_violation"
    assert gated("five", str(tmp_path), _airlock_tier="frontier") == {}
