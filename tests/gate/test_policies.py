"""A policy that is a function of the context: one set of accounts, whatever object it answers."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from agent_airlock import Airlock, AirlockContext, Budget, Cost, MemoryLedger, SecurityPolicy
from agent_airlock.context import AnyContext
from tests.gate.rig import CENT, balances
from tests.ledger.crowd import at_once

POLICIES = {
    "small": SecurityPolicy(budgets=[Budget("agent:*", "0.02 USD")]),
    "large": SecurityPolicy(budgets=[Budget("agent:*", "0.05 USD")]),
}


def choose(context: AnyContext) -> SecurityPolicy:
    return POLICIES[context.metadata.get("plan", "small")]


def fresh(context: AnyContext) -> SecurityPolicy:
    return SecurityPolicy(budgets=[Budget("agent:*", "0.05 USD")])


def ran(answers: list[Any]) -> int:
    return answers.count("ran")


def test_each_call_is_under_the_policy_of_its_context_on_the_same_accounts(ledger: MemoryLedger) -> None:
    search = Airlock(policy=choose, ledger=ledger, cost=Cost("0.01 USD"))(lambda: "ran")
    assert ran([search() for _ in range(9)]) == 2
    with AirlockContext(metadata={"plan": "large"}):
        assert ran([search() for _ in range(9)]) == 3
    assert balances(ledger)["agent:-/usd"].settled == 5 * CENT


def test_money_1_a_new_policy_object_for_each_call_opens_no_new_room(ledger: MemoryLedger) -> None:
    search = Airlock(policy=fresh, ledger=ledger, cost=Cost("0.01 USD"))(lambda: "ran")
    assert ran(at_once([search] * 64)) == 5


def test_a_policy_that_changes_is_in_force_at_the_next_call(ledger: MemoryLedger) -> None:
    policy = SecurityPolicy(budgets=[Budget("global", "0.01 USD")])
    search = Airlock(policy=policy, ledger=ledger, cost=Cost("0.01 USD"))(lambda: "ran")
    assert ran([search(), search()]) == 1
    policy.budgets = [Budget("global", "0.03 USD")]
    assert ran([search() for _ in range(9)]) == 2
    policy.budgets.append(Budget("tool:*", "0 calls"))
    block: Any = search()
    assert block["block_reason"] == "budget_exceeded"


@pytest.mark.parametrize("change", ["more", "none"])
def test_a_policy_that_changes_in_mid_call_fails_no_call_that_has_run(change: str, ledger: MemoryLedger) -> None:
    policy = SecurityPolicy(budgets=[Budget("global", "1 USD"), Budget("tool:*", "0.001 USD", "call", mode="observe")])

    @Airlock(policy=policy, ledger=ledger, cost=Cost("0.01 USD"))
    def search() -> str:
        policy.budgets = [Budget("agent:*+tier:x", "1 USD"), Budget("user:*", "1 USD", "call")] * (change == "more")
        return "ran"

    assert search() == "ran"
    assert balances(ledger)["global/usd"].settled == CENT


def test_policies_of_one_call_are_not_kept_for_ever(ledger: MemoryLedger) -> None:
    made: list[weakref.ref[SecurityPolicy]] = []

    def once(context: AnyContext) -> SecurityPolicy:
        policy = fresh(context)
        made.append(weakref.ref(policy))
        return policy

    search = Airlock(policy=once, ledger=ledger, cost=Cost("0.001 USD"))(lambda: "ran")
    for _ in range(50):
        assert search() == "ran"
    gc.collect()
    assert sum(policy() is not None for policy in made) <= 10
