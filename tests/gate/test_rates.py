"""Rate limits: a call each, for each agent and pattern, on the gate's ledger, in the call's one reserve."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from agent_airlock import (
    Airlock,
    AirlockConfig,
    AirlockContext,
    Budget,
    Cost,
    EventKind,
    MemoryLedger,
    NothingSpent,
    RateLimit,
    RateLimitExceeded,
    SecurityPolicy,
)
from tests.gate.rig import Clock, Events, Recording, balances


def gated(ledger: Any, config: AirlockConfig | None = None, name: str = "search", **policy: Any) -> Any:
    def tool() -> str:
        return "found"

    tool.__name__ = name
    return Airlock(policy=SecurityPolicy(**policy), ledger=ledger, cost=Cost("0.01 USD"), config=config)(tool)


def test_an_agent_makes_as_many_calls_a_window_as_its_rate_allows(ledger: MemoryLedger, clock: Clock) -> None:
    search = gated(ledger, rate_limits={"*": "3/minute"})
    with AirlockContext(agent_id="a"):
        assert [search() for _ in range(3)] == ["found"] * 3
        blocked = search()
    assert (blocked["block_reason"], blocked["status"]) == ("rate_limit", "blocked")
    assert "3 calls of '*' a minute" in blocked["error"]
    assert blocked["metadata"]["refusal"]["resets_at"] is not None
    assert "begins anew" in " ".join(blocked["fix_hints"])
    with AirlockContext(agent_id="b"):
        assert search() == "found", "another agent, another count"
    clock.tick(60)
    with AirlockContext(agent_id="a"):
        assert search() == "found"


def test_calls_that_name_no_agent_share_one_count_and_nobody_can_name_it(ledger: MemoryLedger) -> None:
    search = gated(ledger, rate_limits={"*": "1/hour"})
    assert search() == "found"
    assert search()["block_reason"] == "rate_limit"
    with AirlockContext(agent_id="-"):
        assert search() == "found"


def test_the_tools_of_a_pattern_share_its_count_and_every_pattern_that_matches_holds(ledger: MemoryLedger) -> None:
    rates = {"search_*": "2/hour", "search_web": "1/hour", "ask": "0/hour"}
    web, books = (gated(ledger, name=name, rate_limits=rates) for name in ("search_web", "search_books"))
    assert web() == "found"
    assert web()["metadata"]["pattern"] == "search_web"
    assert books() == "found"
    assert books()["metadata"]["pattern"] == "search_*"
    assert gated(ledger, name="ask", rate_limits=rates)()["block_reason"] == "rate_limit"


def test_a_rate_is_held_with_the_money_in_one_reserve() -> None:
    ledger = Recording()
    search = gated(ledger, rate_limits={"*": "2/hour"}, budgets=[Budget("agent:*", "1 USD")])
    assert search() == "found"
    assert ledger.verbs == ["Reserve", "Settle"]
    assert [hold.account.scope for hold in ledger.asked[0].holds] == ["rate:%2A+agent:-", "agent:-"]  # type: ignore[attr-defined]


def test_a_call_that_the_money_refuses_uses_up_no_rate(ledger: MemoryLedger) -> None:
    search = gated(ledger, rate_limits={"*": "2/hour"}, budgets=[Budget("agent:*", "0.01 USD")])
    assert search() == "found"
    assert search()["block_reason"] == "budget_exceeded"
    assert balances(ledger)["rate:%2A+agent:-/calls"].settled == 1


def test_a_call_that_spent_nothing_gives_its_place_back(ledger: MemoryLedger) -> None:
    @Airlock(policy=SecurityPolicy(rate_limits={"*": "1/hour"}), ledger=ledger)
    def search() -> str:
        raise NothingSpent

    for _ in range(3):
        with pytest.raises(NothingSpent):
            search()


def test_threads_that_race_get_exactly_as_many_as_the_rate_allows(ledger: MemoryLedger) -> None:
    search = gated(ledger, rate_limits={"*": "20/hour"})
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(search())) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count("found") == 20


def test_on_rate_limit_hears_of_each_and_of_nothing_else(ledger: MemoryLedger) -> None:
    heard: list[Any] = []
    config = AirlockConfig(on_rate_limit=heard.append)
    search = gated(ledger, config, rate_limits={"*": "1/hour"})
    search()
    search(extra=1)
    assert heard == []
    search()
    assert [response.block_reason for response in heard] == ["rate_limit"]


def test_the_block_is_an_exception_of_its_own_with_the_refusal(ledger: MemoryLedger) -> None:
    @Airlock(policy=SecurityPolicy(rate_limits={"*": "0/day"}), ledger=ledger, on_block="raise")
    def search() -> str:
        return "found"

    with pytest.raises(RateLimitExceeded) as caught:
        search()
    assert (caught.value.pattern, caught.value.refusal.limit) == ("*", 0)
    assert caught.value.response.block_reason == "rate_limit"


def test_a_rate_that_observes_counts_and_tells_and_blocks_nothing(ledger: MemoryLedger, events: Events) -> None:
    search = gated(ledger, events.config, rate_limits={"*": RateLimit(1, "hour", mode="observe")})
    assert [search() for _ in range(3)] == ["found"] * 3
    told = events.of(EventKind.WOULD_BLOCK)
    assert [(event.fields["check"], event.fields["reason"], event.fields["scope"]) for event in told] == [
        ("budgets", "rate_limit", "*")
    ] * 2


def test_a_rate_added_to_an_unfrozen_policy_holds_at_the_next_call(ledger: MemoryLedger) -> None:
    policy = SecurityPolicy()

    @Airlock(policy=policy, ledger=ledger)
    def search() -> str:
        return "found"

    assert search() == "found"
    policy.rate_limits["search"] = "0/hour"  # type: ignore[index]
    blocked: Any = search()
    assert blocked["block_reason"] == "rate_limit"


@pytest.mark.parametrize("limit", ["100", "100/year", "-1/hour", "1.5/hour", "/hour", "", 5, None, "1" * 30 + "/hour"])
def test_what_is_no_rate_is_refused(limit: Any) -> None:
    with pytest.raises(ValueError, match=r"rate limit must be like|RateLimit\.calls"):
        RateLimit.parse(limit)


def test_a_rate_is_written_as_it_is_read() -> None:
    assert str(RateLimit.parse(" 1_000 / hour ")) == "1000/hour"
    with pytest.raises(ValueError, match=r"RateLimit\.window"):
        RateLimit(1, "month")
    with pytest.raises(ValueError, match=r"RateLimit\.mode"):
        RateLimit(1, "hour", "off")  # type: ignore[arg-type]
