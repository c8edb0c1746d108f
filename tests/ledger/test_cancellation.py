"""A task that is cancelled still finishes its money: what ends a hold is completed, then the task ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from agent_airlock.exceptions import LedgerUnavailable
from agent_airlock.ledger.flow import Flow, adrive, ask
from tests.ledger.books import Slow
from tests.ledger.words import charge, hold, release, reserve, settle


async def _turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.fixture
async def cancelled() -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """Drives a flow over a slow book, cancels its task once the book is reached, then lets the book answer."""
    tasks: list[asyncio.Task[Any]] = []

    async def run(flow: Flow[Any], book: Slow, *, times: int = 1) -> Any:
        task = asyncio.create_task(adrive(flow))
        tasks.append(task)
        await book.reached.wait()
        for _ in range(times):
            task.cancel()
            await _turns()
        book.go.set()
        return await task

    yield run
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await _turns()


@pytest.mark.parametrize("command", [settle("r1"), release("r1"), charge("r1")], ids=lambda c: type(c).__name__)
async def test_a_command_that_must_finish_does_so_and_then_the_task_is_cancelled(
    command: Any, cancelled: Callable[..., Awaitable[Any]]
) -> None:
    book = Slow()
    answers: list[Any] = []

    def flow() -> Flow[str]:
        answers.append((yield from ask(book, command)))
        return "the flow's end"

    with pytest.raises(asyncio.CancelledError):
        await cancelled(flow(), book)
    assert book.applied == [command]
    assert answers == ["answer"], "the flow was not told"


async def test_a_cancelled_flow_goes_on_to_its_end_before_the_task_is_cancelled(
    cancelled: Callable[..., Awaitable[Any]],
) -> None:
    book = Slow()

    def flow() -> Flow[None]:
        yield from ask(book, settle("r1"))
        yield from ask(book, settle("r2"))

    with pytest.raises(asyncio.CancelledError):
        await cancelled(flow(), book)
    assert book.applied == [settle("r1"), settle("r2")]


async def test_a_reserve_that_is_cancelled_in_flight_reaches_the_flow_which_closes_the_id(
    cancelled: Callable[..., Awaitable[Any]],
) -> None:
    book = Slow()
    seen: list[BaseException] = []

    def flow() -> Flow[Any]:
        try:
            return (yield from ask(book, reserve("r1", hold(1, 1))))
        except GeneratorExit:
            raise
        except BaseException as error:
            seen.append(error)
            yield from ask(book, release("r1"))
            raise

    with pytest.raises(asyncio.CancelledError):
        await cancelled(flow(), book)
    assert [type(error) for error in seen] == [asyncio.CancelledError]
    assert book.applied == [release("r1")], "the reserve was cancelled, the release was not"


async def test_a_second_cancellation_does_not_cut_a_settle_short(
    cancelled: Callable[..., Awaitable[Any]],
) -> None:
    """anyio, under most web and tool servers, cancels again in each turn of the loop until the task ends."""
    book = Slow()
    answers: list[Any] = []

    def flow() -> Flow[None]:
        answers.append((yield from ask(book, settle("r1"))))

    with pytest.raises(asyncio.CancelledError):
        await cancelled(flow(), book, times=3)
    assert book.applied == [settle("r1")]
    assert answers == ["answer"], "the flow was told that the outcome is unknown"


async def test_a_settle_that_fails_while_its_task_is_cancelled_does_not_swallow_the_cancellation(
    cancelled: Callable[..., Awaitable[Any]],
) -> None:
    book = Slow(error=LedgerUnavailable("down"))
    seen: list[BaseException] = []

    def flow() -> Flow[str]:
        try:
            yield from ask(book, settle("r1"))
        except LedgerUnavailable as error:  # a failed settle is logged: the tool's result is returned
            seen.append(error)
        return "result"

    with pytest.raises(asyncio.CancelledError):
        await cancelled(flow(), book)
    assert seen == [book.error]


async def test_a_flow_that_ends_in_an_error_does_not_swallow_a_cancellation(
    cancelled: Callable[..., Awaitable[Any]],
) -> None:
    """Else an agent's loop of `except AirlockBlocked: continue` could not be cancelled."""
    book = Slow()

    def flow() -> Flow[None]:
        yield from ask(book, release("r1"))
        raise ValueError("blocked")

    with pytest.raises(asyncio.CancelledError):
        await cancelled(flow(), book)


async def test_a_ledger_that_hangs_holds_a_cancelled_task_for_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agent_airlock.ledger.flow.FINISH_SECONDS", 0.01)
    book = Slow()
    seen: list[BaseException] = []

    def flow() -> Flow[None]:
        try:
            yield from ask(book, settle("r1"))
        except GeneratorExit:
            raise
        except BaseException as error:
            seen.append(error)
            raise

    task = asyncio.create_task(adrive(flow()))
    await book.reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [type(error) for error in seen] == [asyncio.CancelledError]
    await _turns()
    assert (book.applied, book.cancelled) == ([], [settle("r1")]), "nothing goes on behind the task's back"


async def test_a_flow_whose_coroutine_is_dropped_is_closed_and_asks_nothing_more() -> None:
    book = Slow()
    ends: list[BaseException] = []

    def flow() -> Flow[None]:
        try:
            yield from ask(book, reserve("r1"))
        except GeneratorExit as end:
            ends.append(end)
            raise
        except BaseException:
            yield from ask(book, release("r1"))
            raise

    driven = adrive(flow())
    driven.send(None)
    driven.close()
    assert [type(end) for end in ends] == [GeneratorExit]
    assert book.applied == []
