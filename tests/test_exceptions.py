"""The tree of exceptions: who catches what, and that each travels between processes."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

from agent_airlock import (
    Airlock,
    AirlockBlocked,
    AirlockBudgetExceeded,
    AirlockError,
    Budget,
    BudgetExceededError,
    Cost,
    CostTracker,
    LedgerError,
    MemoryLedger,
    NothingSpent,
    SecurityPolicy,
    exceptions,
    set_global_tracker,
    strict_tier_budget_policy,
)
from agent_airlock.exceptions import (
    CapabilityDenied,
    ClockJump,
    EndpointBlocked,
    GhostArgumentsBlocked,
    LedgerCorrupt,
    LedgerUnavailable,
    LedgerUnavailableBlocked,
    LedgerWentBack,
    PathViolation,
    PolicyFileError,
    PolicyMutationError,
    PolicyViolation,
    RateLimitExceeded,
    TicketUsedError,
    UnknownModelError,
    UnknownTierError,
    UnpricedCall,
    ValidationBlocked,
)
from agent_airlock.ledger.accounts import Account, Refusal, Unit

OVER = Refusal(Account("agent:a", "hour", Unit.CALLS), 1, 1, 0, 0, 1, "spent")


@pytest.fixture(autouse=True)
def _tracker() -> Iterator[None]:
    set_global_tracker(CostTracker())
    yield
    set_global_tracker(None)


def test_the_tree_is_the_one_that_is_drawn() -> None:
    assert AirlockBudgetExceeded.__mro__[:5] == (
        AirlockBudgetExceeded, BudgetExceededError, AirlockBlocked, AirlockError, RuntimeError,
    )  # fmt: skip
    for kind in (
        GhostArgumentsBlocked, ValidationBlocked, PolicyViolation, RateLimitExceeded, CapabilityDenied, PathViolation,
        EndpointBlocked, LedgerUnavailableBlocked, UnpricedCall,
    ):  # fmt: skip
        assert issubclass(kind, AirlockBlocked)
    for kind in (LedgerUnavailable, ClockJump, LedgerWentBack, LedgerCorrupt):
        assert issubclass(kind, LedgerError)
        assert not issubclass(kind, AirlockBlocked)
    assert issubclass(ClockJump, LedgerUnavailable), "who waits for a ledger to answer waits for its clock"
    assert issubclass(UnpricedCall, BudgetExceededError)
    assert issubclass(UnknownTierError, ValueError)
    assert issubclass(UnknownModelError, LookupError)
    assert not issubclass(NothingSpent, AirlockError), "it is the tool's"


def every_kind() -> list[type[Exception]]:
    kinds = (kind for name, kind in vars(exceptions).items() if not name.startswith("_"))
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Exception)]


def test_each_kind_is_drawn_and_explained() -> None:
    assert exceptions.__doc__ is not None
    for kind in every_kind():
        assert kind.__name__ in exceptions.__doc__
        assert kind.__doc__


def from_a_gate(policy: SecurityPolicy, /, *args: Any, cost: Cost | None = None, **kwargs: Any) -> AirlockBlocked:
    @Airlock(policy=policy, ledger=MemoryLedger(), cost=cost, on_block="raise")
    def tool(x: int = 1) -> int:
        return x

    gated: Any = tool
    with pytest.raises(AirlockBlocked) as caught:
        gated(*args, **kwargs)
    return caught.value


def made() -> list[Exception]:
    strict = strict_tier_budget_policy()
    return [
        AirlockError("a"),
        UnknownTierError("gold", ("small",)),
        UnknownModelError("nope"),
        PolicyFileError("airlock.toml", ("a", "b")),
        PolicyMutationError("a"),
        TicketUsedError("a"),
        LedgerError("a"),
        LedgerUnavailable("a"),
        ClockJump(90_000),
        LedgerWentBack("a"),
        LedgerCorrupt("a"),
        NothingSpent("a"),
        AirlockBlocked("a", hints=("b",)),
        LedgerUnavailableBlocked("a"),
        BudgetExceededError("a", hints=("b",)),
        CapabilityDenied("a", missing=("NETWORK_HTTP",)),
        PathViolation("a", argument="path", rule="outside"),
        EndpointBlocked("a", argument="url", rule="private", hints=("b",)),
        from_a_gate(SecurityPolicy(rate_limits={"tool": "0/hour"})),
        from_a_gate(SecurityPolicy(), xx=1),
        from_a_gate(SecurityPolicy(), "1"),
        from_a_gate(SecurityPolicy(default_deny=True)),
        from_a_gate(strict, _airlock_model_id="nope"),
        from_a_gate(strict, _airlock_model_id="claude-opus-5-5", _airlock_input_tokens=10**6),
        from_a_gate(SecurityPolicy(budgets=[Budget("global", "1 USD", window="day")]), cost=Cost("2 USD")),
    ]


def facts(error: Exception) -> dict[str, Any]:
    return {name: value for name, value in vars(error).items() if not name.startswith("__")}


def test_each_kind_is_tried() -> None:
    assert {type(error) for error in made()} == set(every_kind())


@pytest.mark.parametrize("copier", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_each_pickles_and_copies_whole(copier: Any) -> None:
    for error in made():
        other = copier(error)
        assert type(other) is type(error)
        assert (str(other), other.args) == (str(error), error.args)
        assert facts(other) == facts(error)
        if isinstance(error, AirlockBlocked) and "_response" in vars(error):
            assert other.response.to_dict() == error.response.to_dict()


def blocked_in_a_worker() -> None:
    raise from_a_gate(strict_tier_budget_policy(), _airlock_model_id="claude-opus-5-5", _airlock_input_tokens=10**6)


def test_a_block_comes_back_from_another_process() -> None:
    with (
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool,
        pytest.raises(AirlockBudgetExceeded) as caught,
    ):
        pool.submit(blocked_in_a_worker).result()
    assert caught.value.tier == "small"
    assert caught.value.response.metadata["tier"] == "small"


def test_a_block_that_no_gate_made_has_no_response_and_says_who_writes_one() -> None:
    with pytest.raises(AttributeError, match=r"self_heal\.respond"):
        _ = AirlockBlocked("a").response
    assert not hasattr(AirlockBlocked("a"), "response")


def test_an_unknown_label_is_shown_short_and_a_strange_one_not_at_all() -> None:
    assert len(str(UnknownTierError("x" * 10_000, ("small",)))) < 200
    assert str(UnknownTierError([1], ("small",))) == "unknown tier of type list; known tiers: small"
