"""How budget holds failed elsewhere (reports and shipped packages): each row that a gate in one process can show.

The rows about prices and streams are in ``test_known_failures_pricing.py`` and ``…_streams.py``.

The scene, unless a test says otherwise: a cap of 1.00 USD, 200 calls of 1 cent, 64 at a time.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from agent_airlock import (
    Airlock,
    AirlockBlocked,
    AirlockContext,
    AirlockError,
    Budget,
    Cost,
    MemoryLedger,
    SecurityPolicy,
)
from agent_airlock.ledger.commands import Check, Entries
from tests.gate.rig import CENT, Clock, Recording, balances
from tests.ledger.crowd import at_once

DOLLAR = "1.00 USD"


def cents(ledger: Any, *budgets: Budget, cost: Any = "0.01", **options: Any) -> Callable[..., Any]:
    """A gated tool that costs a cent."""

    @Airlock(policy=SecurityPolicy(budgets=budgets, lease="1 min"), ledger=ledger, cost=Cost(cost), **options)
    def search() -> str:
        return "ran"

    return search


def ran(answers: list[Any]) -> int:
    return answers.count("ran")


def in_threads(call: Callable[[], Any], count: int = 200, workers: int = 64) -> list[Any]:
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda _: call(), range(count)))


@pytest.mark.parametrize("price", ["0.01", Decimal("0.01"), 0.01, "0.01 USD", lambda arguments: 0.01])
def test_no_hold_at_all_and_float_money_exactly_100_of_200_calls_run_in_threads(
    price: Any, ledger: MemoryLedger
) -> None:
    assert ran(in_threads(cents(ledger, Budget("global", DOLLAR), cost=price))) == 100
    assert balances(ledger)["global/usd"].settled == 100 * CENT


async def test_no_hold_at_all_exactly_100_of_200_calls_run_in_tasks(ledger: MemoryLedger) -> None:
    lanes = asyncio.Semaphore(64)

    @Airlock(policy=SecurityPolicy(budgets=[Budget("global", DOLLAR)]), ledger=ledger, cost=Cost("0.01 USD"))
    async def search() -> str:
        await asyncio.sleep(0)
        return "ran"

    async def lane() -> Any:
        async with lanes:
            return await search()

    assert ran(await asyncio.gather(*(lane() for _ in range(200)))) == 100


def test_session_cap_is_checked_but_not_held_parallel_turns_all_pass(ledger: MemoryLedger) -> None:
    search = cents(ledger, Budget("session:*", "0.05 USD"))

    def turn() -> Any:
        with AirlockContext(session_id="s"):
            return search()

    assert ran(at_once([turn] * 64)) == 5


def test_first_requests_of_a_scope_not_seen_before_bypass_its_budget(ledger: MemoryLedger) -> None:
    search = cents(ledger, Budget("user:*", "0.10 USD"))

    def first(user: str) -> Any:
        with AirlockContext(user_id=user):
            return search()

    assert ran(at_once([partial(first, f"user {number % 2}") for number in range(64)])) == 20


def test_the_first_burst_after_a_start_passes_more_than_there_is(ledger: MemoryLedger) -> None:
    """Cold: nothing has been compiled, imported or called before."""
    assert ran(at_once([cents(ledger, Budget("global", "0.20 USD"))] * 64)) == 20


def test_holds_kept_as_a_counter_drift_totals_are_the_rows_at_any_moment(ledger: MemoryLedger) -> None:
    search = cents(ledger, Budget("agent:*", DOLLAR, window="day"), Budget("global", DOLLAR))
    problems: list[str] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            problems.extend(ledger.apply(Check()).problems)

    watcher = threading.Thread(target=watch)
    watcher.start()
    in_threads(search)
    done.set()
    watcher.join(30)
    assert problems == []
    assert balances(ledger)["global/usd"].held == 0


def test_a_settle_races_the_end_of_its_lease_the_money_is_charged_once(ledger: MemoryLedger, clock: Clock) -> None:
    policy = SecurityPolicy(budgets=[Budget("global", DOLLAR)], lease="1 s")

    @Airlock(policy=policy, ledger=ledger, cost=Cost("0.01 USD"))
    def slow(number: int) -> str:
        if number % 3 == 0:
            clock.ms += 1_001
        return "ran"

    assert ran(at_once([partial(slow, number) for number in range(64)])) == 64
    balance = balances(ledger)["global/usd"]
    assert (balance.settled, balance.presumed, balance.held) == (64 * CENT, 0, 0)


def test_money_7_holds_of_the_dead_are_given_back_or_kept_for_ever(clock: Clock) -> None:
    """A worker's thread dies in its call, as far as the ledger can tell: its settle never comes."""
    ledger = MemoryLedger(clock=clock)
    lost = threading.Event()
    search = cents(ledger, Budget("global", "0.10 USD"))
    policy = SecurityPolicy(budgets=[Budget("global", "0.10 USD")], lease="1 min")
    stuck = Airlock(policy=policy, ledger=ledger, cost=Cost("0.01 USD"))(lambda: lost.wait(60))
    threads = [threading.Thread(target=stuck, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    while balances(ledger).get("global/usd") is None or balances(ledger)["global/usd"].held < 4 * CENT:
        lost.wait(0.001)
    clock.tick(61)
    assert balances(ledger)["global/usd"].presumed == 4 * CENT
    assert ran([search() for _ in range(10)]) == 6, "a killed call was billed"
    assert [entry.state.value for entry in ledger.apply(Entries()).entries].count("presumed") == 4
    lost.set()
    for thread in threads:
        thread.join(30)
    balance = balances(ledger)["global/usd"]
    assert (balance.settled, balance.presumed) == (10 * CENT, 0), "who comes back tells what it really cost"
    assert search()["block_reason"] == "budget_exceeded"


def test_a_plain_thread_loses_the_run_s_context_and_the_budget_with_it(ledger: MemoryLedger) -> None:
    search = cents(ledger, Budget("session:*", "0.05 USD"))
    answers: list[Any] = []

    def call() -> None:
        answers.append(search())

    with AirlockContext(session_id="s"):
        threads = [threading.Thread(target=call) for _ in range(20)]
        threads += [threading.Thread(target=contextvars.copy_context().run, args=(call,)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    found = {scope: balance.settled for scope, balance in balances(ledger).items()}
    assert found == {"session:-/usd": 5 * CENT, "session:s/usd": 5 * CENT}


def test_one_refused_large_call_shuts_out_a_small_one_after_it(ledger: MemoryLedger) -> None:
    large = cents(ledger, Budget("global", DOLLAR), cost="2.00")
    assert large()["block_reason"] == "budget_exceeded"
    assert balances(ledger) == {}, "a refusal writes nothing"
    assert ran([cents(ledger, Budget("global", DOLLAR))()]) == 1


def test_a_refusal_of_one_account_leaves_the_others_as_they_were(ledger: MemoryLedger) -> None:
    search = cents(ledger, Budget("global", DOLLAR), Budget("agent:*", "0.02 USD"), Budget("tool:*", "9 calls"))
    with AirlockContext(agent_id="a"):
        assert ran([search() for _ in range(20)]) == 2
    assert {name: balance.total for name, balance in balances(ledger).items()} == {
        "global/usd": 2 * CENT,
        "agent:a/usd": 2 * CENT,
        "tool:search/calls": 2,
    }


@pytest.mark.parametrize(
    ("inner", "outer", "expected"), [("0.30", "1.00", 30), ("1.00", "0.30", 30), ("1.00", "1.00", 100)]
)
def test_two_budgets_of_a_hierarchy_hold_together(inner: str, outer: str, expected: int, ledger: MemoryLedger) -> None:
    search = cents(ledger, Budget("agent:*", f"{inner} USD"), Budget("global", f"{outer} USD"))

    def call() -> Any:
        with AirlockContext(agent_id="a"):
            return search()

    assert ran(in_threads(call)) == expected


def test_two_children_of_a_dollar_under_a_parent_of_a_dollar_spend_a_dollar(ledger: MemoryLedger) -> None:
    search = cents(ledger, Budget("agent:*", DOLLAR), Budget("session:*", DOLLAR))

    def child(number: int) -> Any:
        with AirlockContext(session_id="s"), AirlockContext(session_id="s", agent_id=f"child {number % 2}"):
            return search()

    assert ran(at_once([partial(child, number) for number in range(200)])) == 100


def test_a_budget_set_through_one_path_is_not_looked_at_on_another(ledger: MemoryLedger) -> None:
    """Functions, methods, coroutines and streams count in the same account."""
    gated: Any = Airlock(
        policy=SecurityPolicy(budgets=[Budget("global", "0.03 USD")]),
        ledger=ledger,
        cost=Cost("0.01"),
        on_block="raise",
    )

    class Tools:
        @gated
        def method(self) -> str:
            return "ran"

        @staticmethod
        @gated
        def static() -> str:
            return "ran"

    @gated
    async def coroutine() -> str:
        return "ran"

    @gated
    def stream() -> Iterator[str]:
        yield "ran"

    assert [Tools().method(), asyncio.run(coroutine()), *stream()] == ["ran"] * 3
    for call in (Tools().method, Tools.static, lambda: asyncio.run(coroutine()), lambda: list(stream())):
        with pytest.raises(AirlockBlocked):
            call()


def test_money_11_the_caller_s_arguments_name_no_budget_of_their_own(ledger: MemoryLedger) -> None:
    budgets = [Budget("agent:*", "0.05 USD")]
    policy = SecurityPolicy(budgets=budgets, tags="context")

    @Airlock(policy=policy, ledger=ledger, cost=Cost("0.01 USD"))
    def search(agent_id: str, context: dict[str, str], metadata: dict[str, str]) -> str:
        return "ran"

    answers = [search(f"a{n}", {"agent_id": f"b{n}"}, {"agent_id": f"c{n}"}) for n in range(20)]
    assert ran(answers) == 5
    assert list(balances(ledger)) == ["agent:-/usd"]
    block: Any = search("a", {}, {}, _airlock_tier="frontier")
    assert block["block_reason"] == "ghost_arguments"


def test_a_hold_that_does_not_fit_is_not_shrunk_to_what_is_left(ledger: MemoryLedger) -> None:
    search = cents(ledger, Budget("global", DOLLAR), cost="0.15")
    assert ran([search() for _ in range(20)]) == 6
    assert balances(ledger)["global/usd"].settled == 90 * CENT


def test_budget_exceeded_although_only_siblings_holds_are_in_the_way_says_so(ledger: MemoryLedger) -> None:
    policy = SecurityPolicy(budgets=[Budget("session:*", "0.01 USD")])
    outer: Any

    @Airlock(policy=policy, ledger=ledger, cost=Cost("0.01 USD"))
    def outer() -> Any:
        return outer()

    with AirlockContext(session_id="s"):
        during, after = outer(), outer()
    assert during["metadata"]["refusal"]["cause"] == "held"
    assert any("try again" in hint for hint in during["fix_hints"])
    assert after["metadata"]["refusal"]["cause"] == "spent"
    assert not any("try again" in hint for hint in after["fix_hints"])


def test_a_cap_that_trips_inside_a_sub_agent_is_an_ordinary_error_in_bounded_time(ledger: MemoryLedger) -> None:
    inner = cents(ledger, Budget("global", "0.02 USD"), on_block="raise")

    @Airlock(policy=SecurityPolicy(budgets=[Budget("global", "0.02 USD")]), ledger=ledger, cost=Cost("0.01 USD"))
    def sub_agent() -> list[str]:
        return [inner() for _ in range(5)]

    with pytest.raises(AirlockError) as block:
        sub_agent()
    assert isinstance(block.value, RuntimeError)
    assert balances(ledger)["global/usd"].held == 0


def test_no_lock_or_transaction_is_held_while_a_call_runs() -> None:
    ledger = Recording()
    search = cents(ledger, Budget("global", DOLLAR))
    running, go = threading.Barrier(2), threading.Event()

    @Airlock(policy=SecurityPolicy(budgets=[Budget("global", DOLLAR)]), ledger=ledger, cost=Cost("0.01 USD"))
    def slow() -> None:
        running.wait(30)
        go.wait(30)

    thread = threading.Thread(target=slow, daemon=True)
    thread.start()
    running.wait(30)
    assert ran(at_once([search] * 8)) == 8, "while the slow call runs"
    go.set()
    thread.join(30)
    assert ledger.verbs.count("Settle") == 9


# Rows that are not shown here, and the feature that each comes with:
#
# | what went wrong                                                                   | comes with                    |
# | --------------------------------------------------------------------------------- | ----------------------------- |
# | several processes on one file; killed and restarted, the last spend not recorded  | SQLite ledger                 |
# | in-memory counters on one replica, truth in a database                            | SQLite ledger                 |
# | two workers pass 40 to 42 of 20                                                   | SQLite ledger                 |
# | a leaked hold can't be reclaimed by id (`resolve`)                                | SQLite ledger                 |
# | sub-agents fan out, each passes the same check: a child's cap in its parent's     | children of a context         |
# | 'held' is waited for, in bounded time                                             | `on_exceeded="wait"`          |
# | the hold is far above the cost: one call at a time                                | `on_exceeded="clamp"`         |
# | one long transcript: each turn dearer than the last                               | quotes, reports               |
# | two output limits in one request; priority, web search, output beyond the maximum | dialects                      |
# | a block is retried as if the network had failed                                   | `wrap`                        |
# | the caller names a budget in a header; streams cut half way on the wire           | gateway                       |
# | an exception in a framework's hook is swallowed                                   | integrations                  |
# | the tokenizer is fetched at run time                                              | shown by `tests/test_tokens`  |
# | a second settle is not a no-op                                                    | shown by `tests/ledger`       |
