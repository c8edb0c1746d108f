"""How a stream ends: admitted at its first item, and settled however it stops."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from agent_airlock import Airlock, AirlockBudgetExceeded, Budget, Cost, MemoryLedger, NothingSpent, SecurityPolicy
from tests.gate.rig import AsyncBook, Recording, balances

POLICY = SecurityPolicy(budgets=[Budget("global", "0.0003 USD")], lease="1 min")
TAGS = {"_airlock_input_tokens": 10, "_airlock_max_output_tokens": 10}
ESTIMATE = 10 * 1_000 + 10 * 2_000
REAL = 7 * 1_000 + 3 * 2_000
USAGE = {"input_tokens": 7, "output_tokens": 3}


class Stream:
    """A gated generator, what it got, and how it was left."""

    def __init__(self, ledger: MemoryLedger, *items: Any, policy: SecurityPolicy = POLICY) -> None:
        self.got: list[Any] = []
        self.began = self.left = 0
        self.book = ledger

        @Airlock(policy=policy, ledger=ledger, cost=Cost.model())
        def stream() -> Iterator[Any]:
            self.began += 1
            try:
                for item in items:
                    if isinstance(item, BaseException):
                        raise item
                    try:
                        self.got.append((yield item))
                    except ValueError as error:
                        self.got.append(error)
                        yield "caught"
                return SimpleNamespace(usage=USAGE) if "returns" in items else None
            finally:
                self.left += 1

        self.start = lambda: stream(**TAGS)

    @property
    def spent(self) -> tuple[int, int]:
        balance = balances(self.book).get("global/usd")
        return (balance.settled + balance.presumed, balance.held) if balance else (0, 0)


def test_a_stream_is_admitted_at_its_first_item_and_settled_when_exhausted(ledger: MemoryLedger) -> None:
    one = Stream(ledger, "a", "b")
    stream = one.start()
    assert one.spent == (0, 0)
    assert next(stream) == "a"
    assert one.spent == (0, ESTIMATE)
    assert list(stream) == ["b"]
    assert one.spent == (ESTIMATE, 0)


def test_a_stream_that_is_never_started_holds_and_costs_nothing(ledger: MemoryLedger) -> None:
    one = Stream(ledger, "a")
    stream = one.start()
    stream.close()
    del stream
    one.start()
    gc.collect()
    assert (one.spent, one.began) == ((0, 0), 0)


@pytest.mark.parametrize("how", ["close", "break", "drop", "drop in a cycle"])
def test_a_stream_that_is_left_half_way_is_booked_at_its_estimate(how: str, ledger: MemoryLedger) -> None:
    one = Stream(ledger, "a", "b")
    stream = one.start()
    for _ in stream:
        break
    assert one.spent == (0, ESTIMATE)
    if how == "close":
        stream.close()
    elif how == "drop in a cycle":
        cycle: list[Any] = [stream]
        cycle.append(cycle)
        del cycle
    del stream
    gc.collect()
    assert (one.spent, one.left) == ((ESTIMATE, 0), 1)


def test_money_5_the_last_item_s_usage_is_what_is_booked(ledger: MemoryLedger) -> None:
    one = Stream(ledger, {"usage": None}, SimpleNamespace(usage=None), {"usage": USAGE})
    assert len(list(one.start())) == 3
    assert one.spent == (REAL, 0)


def test_money_5_the_return_value_s_usage_comes_before_the_last_item_s(ledger: MemoryLedger) -> None:
    one = Stream(ledger, {"usage": {"input_tokens": 1, "output_tokens": 1}}, "returns")

    def through() -> Iterator[Any]:
        ends.append((yield from one.start()))

    ends: list[Any] = []
    assert len(list(through())) == 2
    assert [end.usage for end in ends] == [USAGE]
    assert one.spent == (REAL, 0)


def test_what_is_sent_and_thrown_in_reaches_the_function(ledger: MemoryLedger) -> None:
    one = Stream(ledger, "a", "b", "c")
    stream = one.start()
    assert next(stream) == "a"
    assert stream.send("hello") == "b"
    error = ValueError("thrown")
    assert stream.throw(error) == "caught"
    assert list(stream) == ["c"]
    assert one.got == ["hello", error, None]
    assert one.spent == (ESTIMATE, 0)


@pytest.mark.parametrize(
    ("error", "booked"), [(KeyError("x"), ESTIMATE), (NothingSpent(), 0), (KeyboardInterrupt(), ESTIMATE)]
)
@pytest.mark.parametrize("items", [(), ("a",)], ids=["before its first item", "half way"])
def test_a_stream_that_fails_is_booked_or_gives_its_hold_back(
    items: tuple[str, ...], error: BaseException, booked: int, ledger: MemoryLedger
) -> None:
    one = Stream(ledger, *items, error)
    with pytest.raises(type(error)) as raised:
        list(one.start())
    assert raised.value is error
    assert one.spent == (booked, 0)


def test_an_exception_thrown_in_that_nobody_catches_ends_it(ledger: MemoryLedger) -> None:
    one = Stream(ledger, "a", "b")
    stream = one.start()
    next(stream)
    with pytest.raises(KeyError):
        stream.throw(KeyError("x"))
    assert (one.spent, one.left) == ((ESTIMATE, 0), 1)


def test_a_blocked_stream_raises_at_its_first_item_whatever_on_block_says(ledger: MemoryLedger) -> None:
    one = Stream(ledger, "a")
    for _ in range(10):
        list(one.start())
    stream = one.start()
    with pytest.raises(AirlockBudgetExceeded) as block:
        next(stream)
    assert block.value.response.to_dict()["block_reason"] == "budget_exceeded"
    assert (one.spent, one.began) == ((10 * ESTIMATE, 0), 10)


def test_money_1_streams_that_are_open_at_once_hold_each_their_own(ledger: MemoryLedger) -> None:
    one = Stream(ledger, "a", "b")
    streams = [one.start() for _ in range(12)]
    started = []
    for stream in streams:
        try:
            started.append(next(stream))
        except AirlockBudgetExceeded:
            continue
    assert len(started) == 10
    assert one.spent == (0, 10 * ESTIMATE)
    del stream, streams
    gc.collect()
    assert one.spent == (10 * ESTIMATE, 0)


class Reentered(Recording):
    """A ledger whose command meets the collector: who asks it meanwhile would, with a lock, wait for ever."""

    inside = False
    reentered = False

    def apply(self, command: Any, /) -> Any:
        self.reentered |= self.inside
        self.inside = True
        gc.collect()
        self.inside = False
        return super().apply(command)


@pytest.mark.parametrize("stubborn", [False, True], ids=["closes", "raises as it is closed"])
def test_a_stream_collected_while_its_thread_is_in_the_ledger_does_not_enter_it_again(
    stubborn: bool, ledger: MemoryLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.unraisablehook", lambda unraisable: None)
    book = Reentered(ledger)

    @Airlock(policy=POLICY, ledger=book, cost=Cost.model())
    def stream() -> Iterator[str]:
        try:
            yield "a"
        finally:
            if stubborn:
                raise KeyError("as it is closed")

    gc.disable()
    try:
        cycle: list[Any] = [stream(**TAGS)]
        next(cycle[0])
        cycle.append(cycle)
        del cycle
        next(stream(**TAGS))
    finally:
        gc.enable()
    assert not book.reentered


# --- async -----------------------------------------------------------------------------------------------


def astream(book: Any, *items: Any) -> Any:
    @Airlock(policy=POLICY, ledger=book, cost=Cost.model())
    async def stream() -> AsyncIterator[Any]:
        for item in items:
            await asyncio.sleep(0)
            if isinstance(item, BaseException):
                raise item
            try:
                yield item
            except ValueError:
                yield "caught"

    return lambda: stream(**TAGS)


@pytest.fixture(params=["sync ledger", "async ledger"])
def book(request: pytest.FixtureRequest, ledger: MemoryLedger) -> Any:
    return ledger if request.param == "sync ledger" else AsyncBook(ledger)


def spent(book: Any) -> tuple[int, int]:
    balance = balances(book).get("global/usd")
    return (balance.settled + balance.presumed, balance.held) if balance else (0, 0)


@pytest.mark.parametrize(("last", "booked"), [("b", ESTIMATE), ({"usage": USAGE}, REAL)])
async def test_an_async_stream_that_is_exhausted(book: Any, last: Any, booked: int) -> None:
    stream = astream(book, "a", last)()
    assert spent(book) == (0, 0)
    assert await anext(stream) == "a"
    assert spent(book) == (0, ESTIMATE)
    assert [item async for item in stream] == [last]
    assert spent(book) == (booked, 0)


@pytest.mark.parametrize("how", ["aclose", "athrow", "drop", "cancel"])
async def test_an_async_stream_that_is_left_half_way(book: Any, how: str) -> None:
    stream = astream(book, "a", "b")()

    async def consume() -> None:
        async for _ in stream:
            await asyncio.Event().wait()

    if how == "cancel":
        task = asyncio.create_task(consume())
        await asyncio.wait([task], timeout=0.01)
        task.cancel()
        await asyncio.wait([task])
        await stream.aclose()
    else:
        await anext(stream)
        if how == "aclose":
            await stream.aclose()
        elif how == "athrow":
            with pytest.raises(KeyError):
                await stream.athrow(KeyError("x"))
        del stream
        gc.collect()
        await asyncio.sleep(0.01)  # the loop closes what was dropped
    assert spent(book) == (ESTIMATE, 0)


@pytest.mark.parametrize(("error", "booked"), [(KeyError("x"), ESTIMATE), (NothingSpent(), 0)])
@pytest.mark.parametrize("items", [(), ("a",)], ids=["before its first item", "half way"])
async def test_an_async_stream_that_fails(book: Any, items: tuple[str, ...], error: Exception, booked: int) -> None:
    with pytest.raises(type(error)):
        _ = [item async for item in astream(book, *items, error)()]
    assert spent(book) == (booked, 0)


async def test_an_async_stream_never_started_holds_nothing(book: Any) -> None:
    stream = astream(book, "a")()
    await stream.aclose()
    assert spent(book) == (0, 0)


async def test_what_is_thrown_into_an_async_stream_reaches_the_function(book: Any) -> None:
    stream = astream(book, "a", "b")()
    await anext(stream)
    assert await stream.athrow(ValueError("thrown")) == "caught"
    assert [item async for item in stream] == ["b"]
    assert spent(book) == (ESTIMATE, 0)


async def test_a_task_cancelled_at_any_await_of_a_stream_leaks_nothing() -> None:
    finished = False
    for step in range(40):
        book = AsyncBook()
        start = astream(book, "a", "b")

        async def consume(start: Any = start) -> list[str]:
            stream = start()
            try:
                return [item async for item in stream]
            finally:
                await stream.aclose()

        task = asyncio.create_task(consume())
        for _ in range(step):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        settled, held = spent(book)
        assert held == 0, f"cancelled after {step} turns"
        assert settled in (0, ESTIMATE)
        finished = not task.cancelled()
        if finished:
            break
    assert finished, "no turn was late enough"
