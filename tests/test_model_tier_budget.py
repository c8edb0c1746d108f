"""The tier budget of the release note: its caps, which tier a call is in, its worst case, its blocks, its books."""

from __future__ import annotations

import copy
import logging
import pickle
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from agent_airlock import (
    STRICT_MODEL_TIER_BUDGET,
    Airlock,
    AirlockBudgetExceeded,
    AirlockContext,
    CostTracker,
    ModelTierBudget,
    SecurityPolicy,
    TierBudget,
    TokenUsage,
    UnknownTierError,
    get_global_tracker,
    set_global_tracker,
    strict_tier_budget_policy,
)

CENT_PER_THOUSAND = {"default": {"input": "0.01", "output": "0.01"}}
"""One cent per 1,000 tokens, in and out: 100 tokens are a tenth of a cent."""
TIERS = {"frontier": TierBudget(50, 4000), "mid": TierBudget(10, 2000), "small": TierBudget(2, 1000)}
BUDGET = ModelTierBudget(TIERS, "small")
LITERAL_DIGEST = "b50e0554efd7399b0bca3a23f864c8d99104f6625ffd63f34b635592cf3ce3bd"


@pytest.fixture(autouse=True)
def tracker() -> Iterator[CostTracker]:
    tracker = CostTracker(pricing=CENT_PER_THOUSAND)
    set_global_tracker(tracker)
    yield tracker
    set_global_tracker(None)


def check(budget: ModelTierBudget, tokens: int, tier: str | None = None, model_id: str | None = None) -> Any:
    return budget.check_pre_execute(
        tier_label=tier, input_tokens=tokens, cost_tracker=get_global_tracker(), model_id=model_id
    )


# --- construction ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["max_cost_cents", "max_output_tokens"])
@pytest.mark.parametrize("value", [-1, True, False, 2.0, "2", Decimal(2), float("nan"), 2**53])
def test_a_cap_is_a_non_negative_whole_number(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{field} must be a non-negative"):
        TierBudget(**{field: value})


def test_a_tier_without_caps_caps_nothing() -> None:
    estimate = check(ModelTierBudget({"any": TierBudget()}, "any"), 10**9)
    assert estimate.estimated_cost_cents == 10**6


def test_a_cap_of_zero_is_a_cap() -> None:
    with pytest.raises(AirlockBudgetExceeded):
        check(ModelTierBudget({"none": TierBudget(0, 0)}, "none"), 1)


def test_a_tier_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        TIERS["small"].max_cost_cents = 100  # type: ignore[misc]


@pytest.mark.parametrize(
    ("tiers", "strict_tier", "said"),
    [
        ({}, "small", "at least one tier"),
        (TIERS, "huge", "strict_tier must be one of frontier, mid, small, not 'huge'"),
        (TIERS, None, "strict_tier must be one of"),
        (TIERS, ["small"], "strict_tier must be one of"),
        ({"small": 2}, "small", "must map labels to TierBudget, not 'small' to 2"),
        ({"": TierBudget()}, "", "must map labels"),
        ({1: TierBudget()}, 1, "must map labels"),
        (["small"], "small", "tiers must be a mapping"),
        (None, "small", "tiers must be a mapping"),
    ],
)
def test_a_wrong_budget_is_refused_at_once(tiers: Any, strict_tier: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ModelTierBudget(tiers, strict_tier)


def test_the_strict_tier_is_mandatory() -> None:
    with pytest.raises(TypeError, match="strict_tier"):
        ModelTierBudget(TIERS)  # type: ignore[call-arg]


def test_a_resolver_that_cannot_be_called_is_refused() -> None:
    with pytest.raises(ValueError, match="tier_resolver must be callable, not 'small'"):
        ModelTierBudget(TIERS, "small", "small")  # type: ignore[arg-type]


def test_a_tier_below_the_strict_one_is_worth_a_warning() -> None:
    with pytest.warns(UserWarning, match="'tiny' has a lower cost cap than the strict tier 'small'"):
        ModelTierBudget({"tiny": TierBudget(1), "small": TierBudget(2)}, "small")
    with pytest.warns(UserWarning, match="'tiny'"):
        ModelTierBudget({"tiny": TierBudget(1), "small": TierBudget()}, "small")


def test_a_budget_is_immutable() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        BUDGET.strict_tier = "frontier"
    with pytest.raises(AttributeError, match="immutable"):
        del BUDGET.tiers
    with pytest.raises(TypeError):
        BUDGET.tiers["small"] = TierBudget()  # type: ignore[index]


def test_the_callers_own_mapping_can_change_without_changing_the_budget() -> None:
    mine = dict(TIERS)
    budget = ModelTierBudget(mine, "small")
    mine["small"] = TierBudget(10**6)
    assert budget.cap_for("small") == TierBudget(2, 1000)


def test_a_copy_is_the_same_object_and_a_pickle_is_equal() -> None:
    assert copy.copy(BUDGET) is BUDGET
    assert copy.deepcopy(BUDGET) is BUDGET
    assert pickle.loads(pickle.dumps(BUDGET)) == BUDGET
    assert hash(pickle.loads(pickle.dumps(BUDGET))) == hash(BUDGET)


# --- which tier ------------------------------------------------------------------------------------------


def test_an_explicit_label_wins_over_the_resolver() -> None:
    assert (
        ModelTierBudget(TIERS, "small", lambda _: "mid").resolve_tier(explicit="frontier", model_id="x") == "frontier"
    )


def test_the_resolver_wins_over_the_strict_tier() -> None:
    assert ModelTierBudget(TIERS, "small", lambda _: "mid").resolve_tier(model_id="x") == "mid"


def test_the_resolver_is_not_asked_without_a_model() -> None:
    def resolver(model_id: str) -> str:
        raise AssertionError(model_id)

    assert ModelTierBudget(TIERS, "small", resolver).resolve_tier() == "small"


def test_the_strict_tier_is_last() -> None:
    assert BUDGET.resolve_tier(model_id="claude-opus-5-5") == "small"


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError

    __str__ = __repr__


@pytest.mark.parametrize("label", ["gold", "", "SMALL", 5, True, ["small"], Unprintable()])
def test_an_unknown_explicit_label_raises_and_names_the_known_ones(label: Any) -> None:
    with pytest.raises(UnknownTierError, match="known tiers: frontier, mid, small"):
        BUDGET.resolve_tier(explicit=label)
    with pytest.raises(UnknownTierError):
        BUDGET.cap_for(label)


def raising(model_id: str) -> str:
    raise KeyError(model_id)


@pytest.mark.parametrize(
    "resolver", [raising, lambda _: "gold", lambda _: None, lambda _: 5, lambda _: ["mid"], lambda: "mid"]
)
def test_a_resolver_that_fails_gives_the_strict_tier_and_is_logged_once(
    resolver: Any, caplog: pytest.LogCaptureFixture
) -> None:
    budget = ModelTierBudget(TIERS, "small", resolver)
    assert [budget.resolve_tier(model_id="m") for _ in range(3)] == ["small"] * 3
    assert len(caplog.records) == 1


def test_the_resolvers_keyboard_interrupt_is_nobodys_label() -> None:
    def resolver(model_id: str) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ModelTierBudget(TIERS, "small", resolver).resolve_tier(model_id="m")


# --- the worst case --------------------------------------------------------------------------------------


def test_the_worst_case_is_all_input_and_the_tiers_whole_output() -> None:
    estimate = check(BUDGET, 1000)
    assert (estimate.tier, estimate.input_tokens, estimate.estimated_output_tokens) == ("small", 1000, 1000)
    assert estimate.estimated_cost_usd == Decimal("0.02")
    assert (estimate.estimated_cost_cents, estimate.cap, estimate.bound) == (2, TIERS["small"], "worst_case")


def test_it_is_priced_by_the_trackers_calculate_cost_alone() -> None:
    class Flat(CostTracker):
        def calculate_cost(self, *_: Any, **__: Any) -> Decimal:
            return Decimal("0.013")

    estimate = BUDGET.check_pre_execute(tier_label="small", input_tokens=10**6, cost_tracker=Flat())
    assert estimate.estimated_cost_usd == Decimal("0.013")


@pytest.mark.parametrize(("tokens", "fits"), [(0, True), (1000, True), (1001, False), (1490, False)])
def test_the_cap_is_compared_exactly(tokens: int, fits: bool) -> None:
    if fits:
        assert check(BUDGET, tokens).estimated_cost_cents <= 2
        return
    with pytest.raises(AirlockBudgetExceeded) as blocked:
        check(BUDGET, tokens)
    assert blocked.value.estimated_cost_cents == 3, "rounded up: no block reads '2 is over 2'"


def test_two_point_four_nine_cents_are_over_two() -> None:
    with pytest.raises(AirlockBudgetExceeded) as blocked:
        check(BUDGET, 1490)
    assert blocked.value.estimated_cost_usd == Decimal("0.0249")
    assert "2.49 cents" in str(blocked.value)


@pytest.mark.parametrize(("tokens", "shown"), [(49, 0), (50, 1), (149, 1), (150, 2)])
def test_an_estimate_shows_cents_rounded_half_up(tokens: int, shown: int) -> None:
    budget = ModelTierBudget({"only": TierBudget(10, 0)}, "only")
    assert check(budget, tokens * 10).estimated_cost_cents == shown


def test_the_exact_amount_does_not_depend_on_the_threads_decimal_context() -> None:
    from decimal import localcontext

    with localcontext(prec=2), pytest.raises(AirlockBudgetExceeded) as blocked:
        check(BUDGET, 123_457)
    assert "124.457 cents" in str(blocked.value)
    assert blocked.value.to_block_metadata()["estimated_cost_usd"] == "1.24457"


@pytest.mark.parametrize("tokens", [-1, True, 1.5, "5", None, float("nan"), Decimal(5), 2**53])
def test_a_count_that_means_nothing_is_a_value_error(tokens: Any) -> None:
    with pytest.raises(ValueError, match="non-negative"):
        check(BUDGET, tokens)


def test_own_prices_without_an_output_cap_hold_the_input_alone_and_say_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    budget = ModelTierBudget({"input_only_tier": TierBudget(2)}, "input_only_tier")
    assert {check(budget, 2000).bound for _ in range(3)} == {"input_only"}
    assert check(budget, 2000).estimated_output_tokens == 0
    assert len([record for record in caplog.records if "not a bound" in record.message]) == 1
    with pytest.raises(AirlockBudgetExceeded) as blocked:
        check(budget, 2001)
    assert blocked.value.hints == ("At most 2000 input tokens fit: shorten the input.",)


# --- blocks ----------------------------------------------------------------------------------------------


def test_a_block_carries_its_facts() -> None:
    with pytest.raises(AirlockBudgetExceeded) as caught:
        check(BUDGET, 1490, model_id="m-1")
    block = caught.value
    assert (block.tier, block.cap, block.budget_type, block.model_id) == ("small", TIERS["small"], "cost", "m-1")
    assert (block.estimated_output_tokens, block.refusal) == (1000, None)
    assert block.to_block_metadata() == {
        "tier": "small",
        "cap": {"max_cost_cents": 2, "max_output_tokens": 1000},
        "estimated_cost_cents": 3,
        "estimated_cost_usd": "0.0249",
        "estimated_output_tokens": 1000,
        "budget_type": "cost",
        "model_id": "m-1",
    }


def test_a_policy_without_a_tier_budget_checks_none() -> None:
    policy = SecurityPolicy()
    assert policy.check_model_tier_budget(tier_label="x", input_tokens=1, cost_tracker=get_global_tracker()) is None


def test_a_policy_checks_its_tier_budget() -> None:
    policy = SecurityPolicy(model_tier_budget=BUDGET)
    tracker = get_global_tracker()
    estimate = policy.check_model_tier_budget(tier_label="mid", input_tokens=7, cost_tracker=tracker, model_id="m")
    assert estimate is not None
    assert (estimate.tier, estimate.model_id) == ("mid", "m")


# --- after the call --------------------------------------------------------------------------------------


def reconciled(budget: ModelTierBudget, input_tokens: int, actual: Any) -> Any:
    estimate = check(budget, input_tokens)
    return budget.reconcile_post_execute(estimate=estimate, actual=actual, cost_tracker=get_global_tracker())


def test_an_estimate_of_five_and_a_cost_of_fifty_log_plus_forty_five(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "agent_airlock.cost")
    record = reconciled(ModelTierBudget({"only": TierBudget(5, 1000)}, "only"), 4000, TokenUsage(4500, 45_500))
    assert (record.estimated_cost_cents, record.actual_cost_cents, record.delta_cents) == (5, 50, 45)
    assert record.output_tokens_over_cap
    assert record.input_tokens_over_estimate
    (logged,) = caplog.records
    assert (logged.name, logged.levelno) == ("agent_airlock.cost", logging.WARNING)
    assert "+45" in logged.getMessage()
    extra = vars(logged)
    assert extra["event"] == "tier_budget_reconciled"
    assert {name: extra[name] for name in record.__slots__} == {
        "tier": "only",
        "model_id": "default",
        "input_tokens": 4500,
        "output_tokens": 45_500,
        "estimated_cost_cents": 5,
        "actual_cost_cents": 50,
        "delta_cents": 45,
        "output_tokens_over_cap": True,
        "input_tokens_over_estimate": True,
    }


# --- the whole decorator ---------------------------------------------------------------------------------


def test_a_gated_call_is_checked_run_and_booked_once(tracker: CostTracker) -> None:
    @Airlock(policy=SecurityPolicy(model_tier_budget=BUDGET))
    def ask(prompt: str) -> dict[str, Any]:
        return {"said": prompt, "token_usage": TokenUsage(100, 400)}

    assert ask("hi", _airlock_input_tokens=200)["said"] == "hi"  # type: ignore[index,call-arg]
    summary = tracker.get_summary()
    assert (summary.total_calls, summary.total_cost, summary.total_tokens) == (1, Decimal("0.005"), 500)
    assert summary.by_tier == {"small": Decimal("0.005")}
    blocked: Any = ask("hi", _airlock_input_tokens=1490)  # type: ignore[call-arg]
    assert (blocked["block_reason"], blocked["metadata"]["budget_type"]) == ("budget_exceeded", "cost")
    assert tracker.get_summary().total_calls == 1


async def test_a_gated_coroutine_is_checked_run_and_booked_once(tracker: CostTracker) -> None:
    @Airlock(policy=SecurityPolicy(model_tier_budget=BUDGET))
    async def ask(prompt: str) -> Any:
        return SimpleNamespace(usage={"prompt_tokens": 100, "completion_tokens": 400})

    assert (await ask("hi", _airlock_input_tokens=200)).usage  # type: ignore[union-attr,call-arg]
    blocked: Any = await ask("hi", _airlock_input_tokens=1490)  # type: ignore[call-arg]
    assert blocked["block_reason"] == "budget_exceeded"
    assert (tracker.get_summary().total_calls, tracker.get_summary().total_cost) == (1, Decimal("0.005"))


async def test_the_context_of_one_task_does_not_tag_anothers_call() -> None:
    import asyncio

    @Airlock(policy=SecurityPolicy(model_tier_budget=BUDGET))
    async def ask(prompt: str) -> str:
        return "ran"

    async def tagged(tier: str) -> Any:
        async with AirlockContext(metadata={"airlock_tier": tier, "input_tokens": 5000}):
            await asyncio.sleep(0)
            return await ask("hi")

    frontier, small = await asyncio.gather(tagged("frontier"), tagged("small"))
    assert frontier == "ran"
    assert small["metadata"]["tier"] == "small"


# --- the preset and the digest ---------------------------------------------------------------------------


def test_the_preset_is_the_notes() -> None:
    assert ModelTierBudget(TIERS, "small") == STRICT_MODEL_TIER_BUDGET
    assert strict_tier_budget_policy().model_tier_budget is STRICT_MODEL_TIER_BUDGET


def test_the_preset_takes_a_resolver() -> None:
    budget = strict_tier_budget_policy(lambda _: "mid").model_tier_budget
    assert budget is not None
    assert budget.tiers == STRICT_MODEL_TIER_BUDGET.tiers
    assert budget.resolve_tier(model_id="m") == "mid"
    with pytest.raises(ValueError, match="tier_resolver must be callable"):
        strict_tier_budget_policy("mid")  # type: ignore[arg-type]


def test_freezing_keeps_the_budget_object() -> None:
    assert strict_tier_budget_policy().freeze().model_tier_budget is STRICT_MODEL_TIER_BUDGET


def test_the_payload_is_plain_and_counts_a_resolver_as_present_or_absent() -> None:
    payload = ModelTierBudget({"b": TierBudget(2), "a": TierBudget(2, 3)}, "a").canonical_payload()
    assert payload == {
        "tiers": {
            "a": {"max_cost_cents": 2, "max_output_tokens": 3},
            "b": {"max_cost_cents": 2, "max_output_tokens": None},
        },
        "strict_tier": "a",
        "tier_resolver": False,
    }
    assert list(payload["tiers"]) == ["a", "b"]
    one, other = (strict_tier_budget_policy(resolver) for resolver in (lambda _: "mid", lambda _: "small"))
    assert one.digest == other.digest != strict_tier_budget_policy().digest


@pytest.mark.parametrize(
    "budget",
    [
        None,
        ModelTierBudget({**TIERS, "mid": TierBudget(11, 2000)}, "small"),
        ModelTierBudget({**TIERS, "mid": TierBudget(10, 2001)}, "small"),
        ModelTierBudget({**TIERS, "mid": TierBudget(10)}, "small"),
        ModelTierBudget({**TIERS, "fourth": TierBudget()}, "small"),
    ],
)
def test_the_digest_holds_the_tier_budget(budget: ModelTierBudget | None) -> None:
    assert SecurityPolicy(model_tier_budget=budget).digest != SecurityPolicy(model_tier_budget=BUDGET).digest


def test_the_digest_of_the_preset_is_this_one() -> None:
    assert strict_tier_budget_policy().digest == LITERAL_DIGEST


@pytest.mark.parametrize("seed", ["0", "4711"])
def test_the_digest_is_the_same_in_every_process(seed: str) -> None:
    code = "from agent_airlock import strict_tier_budget_policy; print(strict_tier_budget_policy().freeze().digest)"
    environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == LITERAL_DIGEST
