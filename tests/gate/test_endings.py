"""How a call of a function ends: whatever happens, its hold is settled, released, or ended by its lease."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from agent_airlock import (
    Airlock,
    AirlockBlocked,
    AirlockBudgetExceeded,
    Budget,
    BudgetConfig,
    Cost,
    EventKind,
    MemoryLedger,
    NothingSpent,
    SecurityPolicy,
    TokenUsage,
    set_global_tracker,
)
from agent_airlock.exceptions import LedgerUnavailable
from agent_airlock.ledger.commands import Release, Reserve, Settle
from tests.gate.rig import CENT, AsyncBook, Clock, Events, Scripted, all_logs, balances, priced
from tests.ledger.faulty import FAULTS, FaultyLedger

DOLLAR = SecurityPolicy(budgets=[Budget("global", "1 USD"), Budget("global", "9 calls")], lease="1 min")
TAGS = {"_airlock_input_tokens": 10, "_airlock_max_output_tokens": 10}
ESTIMATE = 10 * 1_000 + 10 * 2_000


class ApiError(Exception):
    """A vendor's error that says what the failed call cost."""

    def __init__(self, usage: object = None) -> None:
        super().__init__("overloaded")
        self.usage = usage


def spent(book: Any) -> tuple[int, int, int]:
    """Settled, presumed and held nanodollars on the gate's account."""
    balance = balances(book)["global/usd"]
    return balance.settled, balance.presumed, balance.held


def raising(error: BaseException, ledger: MemoryLedger, **options: Any) -> Any:
    @Airlock(policy=DOLLAR, ledger=ledger, cost=Cost.model(), **options)
    def ask() -> str:
        raise error

    return ask


# --- a tool that raises ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "booked"),
    [
        (ApiError(TokenUsage(4, 3)), 10_000),
        (ApiError({"input_tokens": 4, "output_tokens": 3}), 10_000),
        (ApiError(SimpleNamespace(prompt_tokens=4, completion_tokens=3)), 10_000),
        (ApiError(), ESTIMATE),
        (ApiError({"input_tokens": -1}), ESTIMATE),
        (NothingSpent(), 0),
        (KeyError("x"), ESTIMATE),
        (KeyboardInterrupt(), ESTIMATE),
        (SystemExit(1), ESTIMATE),
        (GeneratorExit(), ESTIMATE),
        (RecursionError(), ESTIMATE),
    ],
)
def test_an_exception_of_the_tool_passes_unchanged_after_it_is_booked(
    error: BaseException, booked: int, ledger: MemoryLedger
) -> None:
    with pytest.raises(type(error)) as raised:
        raising(error, ledger)(**TAGS)
    assert raised.value is error
    assert spent(ledger) == (booked, 0, 0)
    assert balances(ledger)["global/calls"].settled == (0 if isinstance(error, NothingSpent) else 1)


class Refused(ValueError):
    pass


@pytest.mark.parametrize(
    ("error", "booked"), [(ValueError(), 0), (Refused(), 0), (TimeoutError(), 0), (KeyError(), ESTIMATE)]
)
def test_exceptions_that_are_named_give_the_hold_back(error: Exception, booked: int, ledger: MemoryLedger) -> None:
    with pytest.raises(type(error)):
        raising(error, ledger, nothing_spent_on=(ValueError, TimeoutError))(**TAGS)
    assert spent(ledger) == (booked, 0, 0)


def test_a_policy_that_releases_unknown_usage_still_books_a_call_that_raised(ledger: MemoryLedger) -> None:
    policy = SecurityPolicy(budgets=DOLLAR.budgets, on_unknown_usage="release")

    @Airlock(policy=policy, ledger=ledger, cost=Cost.model())
    def ask(fail: bool) -> str:
        if fail:
            raise KeyError
        return "no usage"

    ask(fail=False, **TAGS)
    assert spent(ledger) == (0, 0, 0)
    with pytest.raises(KeyError):
        ask(fail=True, **TAGS)
    assert spent(ledger) == (ESTIMATE, 0, 0)


def test_a_gated_function_inside_a_gated_one_is_two_calls(ledger: MemoryLedger) -> None:
    inner = Airlock(policy=DOLLAR, ledger=ledger, cost=Cost("0.10 USD"), on_block="raise")(lambda: spent(ledger))

    @Airlock(policy=DOLLAR, ledger=ledger, cost=Cost("0.35 USD"))
    def outer() -> Any:
        return [inner() for _ in range(2)]

    assert outer() == [(0, 0, 45 * CENT), (10 * CENT, 0, 45 * CENT)]
    assert spent(ledger) == (55 * CENT, 0, 0)
    with pytest.raises(AirlockBudgetExceeded):
        outer()
    assert spent(ledger) == (100 * CENT, 0, 0), "the outer one ran until its second inner call"


def test_a_real_interrupt_in_the_tool_books_it_and_passes(ledger: MemoryLedger) -> None:
    @Airlock(policy=DOLLAR, ledger=ledger, cost=Cost("0.10 USD"))
    def search() -> None:
        signal.raise_signal(signal.SIGINT)
        threading.Event().wait(30)

    with pytest.raises(KeyboardInterrupt):
        search()
    assert spent(ledger) == (10 * CENT, 0, 0)


# --- tasks -----------------------------------------------------------------------------------------------


async def cancelled_at(step: int, ledger: MemoryLedger, *, asynchronous: bool) -> tuple[bool, asyncio.Task[Any]]:
    """A gated task, cancelled when it has given the loop away ``step`` times. Whether its tool began."""
    began = False

    @Airlock(policy=DOLLAR, ledger=AsyncBook(ledger) if asynchronous else ledger, cost=Cost("0.10 USD"))
    async def search() -> str:
        nonlocal began
        began = True
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return "found"

    task = asyncio.create_task(search())
    for _ in range(step):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    return began, task


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync ledger", "async ledger"])
async def test_a_task_cancelled_at_any_await_leaks_nothing(asynchronous: bool) -> None:
    endings = set()
    for step in range(24):
        ledger = MemoryLedger()
        began, task = await cancelled_at(step, ledger, asynchronous=asynchronous)
        await asyncio.sleep(0)
        found = balances(ledger).get("global/usd")
        total = (found.settled, found.presumed, found.held) if found else (0, 0, 0)
        assert total == (10 * CENT if began else 0, 0, 0), f"cancelled after {step} turns"
        endings.add((began, task.cancelled()))
        if not task.cancelled():
            break
    assert (True, False) in endings, "no turn was late enough: the loop above must reach the end of the call"
    assert {(False, True), (True, True)} <= endings


async def test_a_time_out_books_the_call_and_is_a_time_out(ledger: MemoryLedger) -> None:
    for book in (ledger, AsyncBook(ledger)):

        @Airlock(policy=DOLLAR, ledger=book, cost=Cost("0.10 USD"))
        async def search() -> None:
            await asyncio.Event().wait()

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await search()
    assert spent(ledger) == (20 * CENT, 0, 0)


async def test_a_task_group_s_siblings_that_are_cancelled_are_booked(ledger: MemoryLedger) -> None:
    @Airlock(policy=DOLLAR, ledger=AsyncBook(ledger), cost=Cost("0.10 USD"))
    async def search(fail: bool) -> None:
        await started.wait()
        if fail:
            raise KeyError
        await asyncio.Event().wait()

    async def siblings() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(search(number == 4))
            for _ in range(10):
                await asyncio.sleep(0)
            started.set()

    started = asyncio.Event()
    with pytest.raises(ExceptionGroup):
        await siblings()
    assert spent(ledger) == (50 * CENT, 0, 0)


async def test_an_async_ledger_under_a_sync_function_is_refused_when_it_is_decorated() -> None:
    with pytest.raises(TypeError, match="sync"):
        Airlock(policy=DOLLAR, ledger=AsyncBook())(lambda: None)


# --- a ledger that fails ---------------------------------------------------------------------------------


def search_on(book: Any, events: Events | None = None, cost: str = "0.10 USD") -> tuple[Any, list[int]]:
    ran: list[int] = []
    config = events.config if events else None

    @Airlock(policy=DOLLAR, ledger=book, cost=Cost(cost), config=config)
    def search() -> str:
        ran.append(1)
        return "found"

    return search, ran


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", [LedgerUnavailable("down"), OSError("disk"), RuntimeError()])
def test_money_10_a_ledger_that_does_not_answer_a_reserve_blocks_and_nothing_stays_held(
    error: Exception, when: str, ledger: MemoryLedger
) -> None:
    def fail() -> None:
        raise error

    book = Scripted(Reserve, inner=ledger, **{when: fail})
    search, ran = search_on(book)
    block = search()
    assert (block["block_reason"], ran) == ("ledger_unavailable", [])
    assert block["error"].startswith("AIRLOCK_BLOCK: ")
    assert book.verbs[-1] == "Release"
    assert [balance.total for balance in balances(ledger).values()] in ([], [0, 0])


def test_money_7_a_ledger_that_is_down_at_the_release_too_leaves_it_to_the_lease(
    ledger: MemoryLedger, clock: Clock, events: Events
) -> None:
    def fail() -> None:
        raise LedgerUnavailable("down")

    lost = Scripted(Release, before=fail, inner=ledger)
    search, ran = search_on(FaultyLedger(lost, 1, "after"), events)
    assert search()["block_reason"] == "ledger_unavailable"
    assert (spent(ledger), ran) == ((0, 0, 10 * CENT), [])
    assert [event.fields["verb"] for event in events.of(EventKind.SETTLE_FAILED)] == ["release"]
    clock.tick(61)
    assert spent(ledger) == (0, 10 * CENT, 0)


@pytest.mark.parametrize("when", ["before", "after"])
def test_money_4_a_settle_that_fails_returns_the_result_and_is_an_event_and_an_error_in_the_log(
    when: str, ledger: MemoryLedger, clock: Clock, events: Events
) -> None:
    def fail() -> None:
        raise LedgerUnavailable("down")

    book = Scripted(Settle, inner=ledger, **{when: fail})
    search, _ = search_on(book, events)
    with all_logs() as logs:
        assert search() == "found"
    (event,) = events.of(EventKind.SETTLE_FAILED)
    assert event.fields == {"verb": "settle", "error": "LedgerUnavailable"}
    assert [record.levelno for record in logs if record.msg and record.levelno > logging.INFO] == [logging.ERROR]
    assert spent(ledger) == ((0, 0, 10 * CENT) if when == "before" else (10 * CENT, 0, 0))
    clock.tick(61)
    assert spent(ledger) == ((0, 10 * CENT, 0) if when == "before" else (10 * CENT, 0, 0))


def test_a_settle_that_fails_does_not_hide_the_tool_s_exception(ledger: MemoryLedger) -> None:
    def fail() -> None:
        raise LedgerUnavailable("down")

    book = Scripted(Settle, before=fail, inner=ledger)
    with pytest.raises(KeyError, match="the tool's own"):
        raising(KeyError("the tool's own"), book)(**TAGS)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_money_3_whatever_one_command_suffers_money_is_counted_once_and_nothing_leaks(
    fault: Any, at: int, ledger: MemoryLedger, clock: Clock, events: Events
) -> None:
    book = FaultyLedger(ledger, at, fault)
    search, ran = search_on(book, events)
    answers = [search() for _ in range(3)]
    clock.tick(61)
    settled, presumed, held = spent(book)
    assert held == 0
    assert settled + presumed == len(ran) * 10 * CENT
    assert answers.count("found") == len(ran)


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interrupt_in_the_ledger_s_reserve_holds_nothing_and_passes(when: str, ledger: MemoryLedger) -> None:
    book = Scripted(Reserve, inner=ledger, **{when: lambda: signal.raise_signal(signal.SIGINT)})
    search, ran = search_on(book)
    with pytest.raises(KeyboardInterrupt):
        search()
    assert ran == []
    assert [balance.total for balance in balances(ledger).values()] in ([], [0, 0])


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interrupt_in_the_ledger_s_settle_is_ended_by_the_lease_at_the_latest(
    when: str, ledger: MemoryLedger, clock: Clock
) -> None:
    book = Scripted(Settle, inner=ledger, **{when: lambda: signal.raise_signal(signal.SIGINT)})
    search, ran = search_on(book)
    with pytest.raises(KeyboardInterrupt):
        search()
    clock.tick(61)
    settled, presumed, held = spent(ledger)
    assert (settled + presumed, held, ran) == (10 * CENT, 0, [1])


def test_a_block_is_no_exception_of_the_tool_and_holds_nothing(ledger: MemoryLedger) -> None:
    search, ran = search_on(ledger, cost="0.60 USD")
    assert search() == "found"
    assert search()["block_reason"] == "budget_exceeded"
    assert (spent(ledger), ran) == ((60 * CENT, 0, 0), [1])
    assert balances(ledger)["global/calls"].total == 1


def test_an_unknown_usage_of_a_call_with_two_books_is_booked_alike(ledger: MemoryLedger) -> None:
    tracker = priced(budget=BudgetConfig(max_cost_per_session=1))
    set_global_tracker(tracker)
    with pytest.raises(KeyError):
        raising(KeyError(), ledger)(**TAGS)
    assert spent(ledger)[0] == ESTIMATE
    assert tracker.get_summary().total_cost == Decimal(ESTIMATE).scaleb(-9)


def test_money_10_a_ledger_that_answers_something_else_than_held_blocks(ledger: MemoryLedger) -> None:
    other = MemoryLedger()

    class Replayed(Scripted):
        """A reserve reaches it when its release has: the answer is *closed*."""

        def apply(self, command: Any, /) -> Any:
            if isinstance(command, Reserve):
                other.apply(Release(command.id, command.nonce))
            return other.apply(command)

    search, ran = search_on(Replayed(Reserve))
    answer = search()
    assert isinstance(answer, dict)
    assert (answer["block_reason"], ran) == ("ledger_unavailable", [])
    assert issubclass(AirlockBudgetExceeded, AirlockBlocked)


def test_money_7_an_answer_that_comes_after_its_lease_runs_nothing_and_leaves_nothing_presumed(
    ledger: MemoryLedger, clock: Clock
) -> None:
    class Slow(Scripted):
        """The first answer is lost on its way; the line sends the reserve again when its lease is over."""

        def apply(self, command: Any, /) -> Any:
            answer = super().apply(command)
            if isinstance(command, Reserve):
                clock.tick(120)
                answer = super().apply(command)
            return answer

    @Airlock(policy=DOLLAR, ledger=Slow(Reserve, inner=ledger), cost=Cost("0.1 USD"))
    def ask() -> str:
        raise AssertionError("it ran")

    blocked: Any = ask()
    assert blocked["block_reason"] == "ledger_unavailable"
    assert spent(ledger) == (0, 0, 0)
