"""A session cap on the global tracker stops the next gated call before it runs; two books hold, or none."""

from __future__ import annotations

import asyncio
import threading
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from agent_airlock import (
    Airlock,
    Budget,
    BudgetConfig,
    Cost,
    CostRecord,
    CostTracker,
    MemoryLedger,
    SecurityPolicy,
    TokenUsage,
    UnpricedCall,
    set_global_tracker,
)
from agent_airlock.ledger.commands import Reserve, Settle
from tests.gate.rig import CENT, AsyncBook, Clock, Recording, Scripted, balances, priced
from tests.ledger.crowd import at_once

ONE_CENT = Cost("0.01 USD")
DIME = SecurityPolicy(budgets=[Budget("global", "0.10 USD")])


def capped(usd: str = "0.10", **options: Any) -> CostTracker:
    tracker = CostTracker(budget=BudgetConfig(max_cost_per_session=usd), **options)
    set_global_tracker(tracker)
    return tracker


def ran(answers: list[Any]) -> int:
    return answers.count("found")


@pytest.mark.parametrize("cap", [1, 7, 20, 63])
def test_money_1_exactly_as_many_run_as_the_session_has_room_for_counting_calls_in_flight(cap: int) -> None:
    tracker = capped(f"0.{cap:02d}")
    gate = threading.Barrier(65)
    inside = threading.Semaphore(0)

    @Airlock(cost=ONE_CENT)
    def search() -> str:
        inside.release()
        gate.wait(30)
        return "found"

    answers: list[Any] = []

    def call() -> None:
        answer = search()
        answers.append(answer)
        if answer != "found":
            gate.wait(30)

    threads = [threading.Thread(target=call, daemon=True) for _ in range(64)]
    for thread in threads:
        thread.start()
    for _ in range(cap):
        assert inside.acquire(timeout=30)
    gate.wait(30)  # all others have answered, while those that run still hold their cents
    for thread in threads:
        thread.join(30)
    assert ran(answers) == cap
    assert {answer["metadata"]["refusal"]["cause"] for answer in answers if answer != "found"} == {"held"}
    summary = tracker.get_summary()
    assert (summary.total_calls, summary.total_cost, summary.in_flight) == (cap, Decimal(cap) / 100, 0)


async def test_money_1_tasks_too() -> None:
    tracker = capped("0.20")

    @Airlock(cost=ONE_CENT)
    async def search() -> str:
        in_flight.append(tracker.get_summary().in_flight)
        await asyncio.sleep(0)
        return "found"

    in_flight: list[int] = []
    assert ran(await asyncio.gather(*(search() for _ in range(64)))) == 20
    assert in_flight == list(range(1, 21))
    assert tracker.get_summary().in_flight == 0


def test_what_is_recorded_counts_against_the_session_of_gated_calls() -> None:
    tracker = capped()
    search = Airlock(lambda: "found")
    priced_search = Airlock(cost=ONE_CENT)(lambda: "found")
    for _ in range(9):
        tracker.record("other", TokenUsage(), cost="0.01")
    assert priced_search() == "found"
    block: Any = priced_search()
    assert block["block_reason"] == "budget_exceeded"
    assert block["metadata"]["refusal"]["scope"].startswith("tracker:")
    assert search() == "found", "a free call fits what is left of nothing"


def test_caps_of_one_call_need_no_ledger() -> None:
    recording = Recording()
    set_global_tracker(priced(ledger=recording, budget=BudgetConfig(max_cost_per_call="0.01", max_tokens_per_call=100)))

    @Airlock(cost=Cost.model())
    def ask() -> dict[str, Any]:
        return {"usage": {"input_tokens": 1, "output_tokens": 1}}

    fits = ask(_airlock_input_tokens=50, _airlock_max_output_tokens=50)
    assert "usage" in fits
    block: Any = ask(_airlock_input_tokens=51, _airlock_max_output_tokens=50)
    assert block["metadata"]["budget_type"] == "tokens"
    assert recording.verbs == ["Charge"]


def test_money_10_a_session_cap_refuses_what_cannot_be_priced() -> None:
    capped()

    @Airlock(cost=Cost.model(), on_block="raise")
    def ask() -> str:
        raise AssertionError("it ran")

    with pytest.raises(UnpricedCall):
        ask()


# --- two books -------------------------------------------------------------------------------------------


def test_money_2_with_a_ledger_of_its_own_both_must_hold_and_a_refusal_at_the_second_releases_the_first(
    clock: Clock,
) -> None:
    first, second = Recording(), Recording(MemoryLedger(clock=clock))
    capped("1.00", ledger=first)
    search = Airlock(policy=DIME, ledger=second, cost=ONE_CENT)(lambda: "found")
    assert ran([search() for _ in range(12)]) == 10
    assert first.verbs == ["Reserve", "Settle"] * 10 + ["Reserve", "Release"] * 2
    assert second.verbs == ["Reserve", "Settle"] * 10 + ["Reserve"] * 2
    on_tracker = [balance for name, balance in balances(first).items() if name.endswith("/usd")]
    assert [(balance.settled, balance.held) for balance in on_tracker] == [(10 * CENT, 0)]


def test_money_2_a_refusal_at_the_first_asks_the_second_nothing() -> None:
    first, second = Recording(), Recording()
    capped("0.00", ledger=first)
    search = Airlock(policy=DIME, ledger=second, cost=ONE_CENT)(lambda: "found")
    assert ran([search()]) == 0
    assert (first.verbs, second.verbs) == (["Reserve"], [])


@pytest.mark.parametrize("fault", [RuntimeError("down"), KeyboardInterrupt()])
@pytest.mark.parametrize("when", ["before", "after"])
def test_money_2_an_error_at_the_second_releases_the_first(fault: BaseException, when: str) -> None:
    def fail() -> None:
        raise fault

    first = Recording()
    second = Scripted(Reserve, **{when: fail})
    capped("1.00", ledger=first)

    @Airlock(policy=DIME, ledger=second, cost=ONE_CENT)
    def search() -> str:
        raise AssertionError("it ran")

    if isinstance(fault, Exception):
        answer: Any = search()
        assert answer["block_reason"] == "ledger_unavailable"
    else:
        with pytest.raises(KeyboardInterrupt):
            search()
    assert first.verbs == ["Reserve", "Release"]
    assert second.verbs[-1:] == ["Release"]
    assert not any(balance.total for book in (first, second) for balance in balances(book).values())


def test_a_settle_that_fails_on_one_book_is_still_told_to_the_other(clock: Clock) -> None:
    def fail() -> None:
        raise RuntimeError("down")

    first = Scripted(Settle, before=fail)
    second = Recording(MemoryLedger(clock=clock))
    capped("1.00", ledger=first)
    assert Airlock(policy=DIME, ledger=second, cost=ONE_CENT)(lambda: "found")() == "found"
    assert second.verbs == ["Reserve", "Settle"]


async def test_the_gate_s_ledger_may_be_async_and_the_tracker_s_is_not() -> None:
    first, second = Recording(), AsyncBook()
    capped("1.00", ledger=first)

    @Airlock(policy=DIME, ledger=second, cost=ONE_CENT)
    async def search() -> str:
        return "found"

    assert ran(await asyncio.gather(*(search() for _ in range(64)))) == 10
    assert sum(balance.held for balance in balances(second).values()) == 0
    spent = [balance for name, balance in balances(first).items() if name.endswith("/usd")]
    assert [(balance.settled, balance.held) for balance in spent] == [(10 * CENT, 0)]


def test_one_ledger_for_both_is_one_reserve() -> None:
    shared = Recording()
    capped("1.00", ledger=shared)
    search = Airlock(policy=DIME, ledger=shared, cost=ONE_CENT)(lambda: "found")
    assert ran([search(), search()]) == 2
    assert shared.verbs == ["Reserve", "Settle"] * 2
    (command, *_) = shared.asked
    assert isinstance(command, Reserve)
    assert [hold.account.scope.partition(":")[0] for hold in command.holds] == ["global"] + ["tracker"] * 3


def test_one_ledger_for_both_without_a_cap_is_one_reserve_that_only_counts() -> None:
    shared = Recording()
    tracker = CostTracker(ledger=shared)
    set_global_tracker(tracker)
    assert Airlock(policy=DIME, ledger=shared, cost=ONE_CENT)(lambda: "found")() == "found"
    assert shared.verbs == ["Reserve", "Settle"]
    assert tracker.get_summary().total_cost == Decimal("0.01")


def test_limits_of_the_call_window_alone_ask_no_ledger_before_the_call_and_make_one_charge_after() -> None:
    on_gate, on_tracker = Recording(), Recording()
    set_global_tracker(CostTracker(ledger=on_tracker))
    policy = SecurityPolicy(budgets=[Budget("tool:*", "0.01 USD", window="call")])

    @Airlock(policy=policy, ledger=on_gate, cost=Cost(lambda arguments: arguments["usd"]))
    def search(usd: str) -> str:
        assert on_tracker.verbs == []
        return "found"

    assert search("0.02")["block_reason"] == "budget_exceeded"
    assert search("0.01") == "found"
    assert (on_gate.verbs, on_tracker.verbs) == ([], ["Charge"])


# --- in mid-call -----------------------------------------------------------------------------------------


def test_replacing_the_tracker_in_mid_call_moves_nothing() -> None:
    old = capped("0.01")
    search = Airlock(cost=ONE_CENT)(lambda: set_global_tracker(CostTracker()))
    search()
    assert (old.get_summary().total_cost, old.get_summary().in_flight) == (Decimal("0.01"), 0)


@pytest.mark.parametrize("cap", [None, "1.00"])
def test_a_call_in_flight_settles_in_the_epoch_that_it_began_in(cap: str | None) -> None:
    tracker = CostTracker(budget=BudgetConfig(max_cost_per_session=cap))
    set_global_tracker(tracker)
    old = tracker.epoch

    @Airlock(cost=ONE_CENT)
    def search() -> str:
        tracker.reset()
        return "found"

    search()
    assert tracker.get_summary().total_calls == 0
    (record,) = old.records(10)
    assert (record.tool, record.cost) == ("search", Decimal("0.01"))
    assert not any(balance.held for balance in old.balances().values())


def test_money_1_resets_among_threads_open_no_room_in_any_epoch() -> None:
    tracker = capped("0.05")
    epochs = [tracker.epoch]
    search = Airlock(cost=ONE_CENT)(lambda: "found")

    def reset() -> str:
        tracker.reset()
        epochs.append(tracker.epoch)
        return "reset"

    jobs = [partial(search) for _ in range(60)]
    jobs[20:20] = [reset]
    jobs[40:40] = [reset]
    answers = at_once(jobs)
    spent = [epoch.balances().get(epoch.usd) for epoch in epochs]
    assert all(balance is None or balance.total <= 5 * CENT for balance in spent)
    assert sum(balance.settled for balance in spent if balance) == ran(answers) * CENT


@pytest.mark.parametrize("cap", [None, "1.00"])
def test_a_callback_gets_the_record_of_a_gated_call(cap: str | None) -> None:
    tracker = CostTracker(budget=BudgetConfig(max_cost_per_session=cap))
    set_global_tracker(tracker)
    seen: list[CostRecord] = []
    tracker.add_callback(seen.append)
    Airlock(cost=ONE_CENT)(lambda: "found")()
    (mine,), (booked,) = seen, tracker.get_records()
    assert (mine.tool, mine.cost, mine.tokens, mine.model) == (booked.tool, booked.cost, booked.tokens, booked.model)


@pytest.mark.parametrize("budgets", [[], [Budget("global", "1 USD")]], ids=["no holds", "holds on the gate's ledger"])
def test_a_callback_s_record_has_the_id_that_the_tracker_booked_it_under(
    budgets: list[Budget], ledger: MemoryLedger
) -> None:
    tracker = CostTracker()
    set_global_tracker(tracker)
    seen: list[CostRecord] = []
    tracker.add_callback(seen.append)
    Airlock(policy=SecurityPolicy(budgets=budgets), ledger=ledger, cost=ONE_CENT)(lambda: "found")()
    assert [record.id for record in seen] == [record.id for record in tracker.get_records()]
