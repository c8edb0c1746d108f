"""Concurrent callers share a transaction and its sync; none waits for nothing, and none has another's error."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from agent_airlock.exceptions import LedgerError, LedgerUnavailable
from agent_airlock.ledger.commands import Balances, Check, Reserved
from agent_airlock.ledger.sqlite import SqliteLedger
from agent_airlock.ledger.sqlite.writer import MAX_BATCH
from tests.ledger.clock import Clock
from tests.ledger.crowd import at_once
from tests.ledger.scenario import say
from tests.ledger.words import LABELS, charge, hold, reserve, settle

CALLERS: Final = 64


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    ledger = SqliteLedger(tmp_path / "budgets.db", clock=Clock())
    yield ledger
    assert ledger.apply(Check()).problems == ()
    ledger.close()


@pytest.fixture
def batches(ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the batches, each of which is one transaction."""
    sizes: list[int] = []
    together = ledger._executor._together

    def counted(batch: Any) -> None:
        sizes.append(len(batch))
        together(batch)

    monkeypatch.setattr(ledger._executor, "_together", counted)
    return sizes


def test_one_caller_alone_needs_no_thread(ledger: SqliteLedger, batches: list[int]) -> None:
    before = threading.active_count()
    for n in range(10):
        ledger.apply(charge(f"r{n}", hold(1, None), actual=1))
    assert threading.active_count() == before
    assert batches == [1] * 10


def test_threads_share_commits(ledger: SqliteLedger, batches: list[int]) -> None:
    def work(thread: int) -> None:
        for n in range(8):
            ledger.apply(reserve(f"r{thread}-{n}", hold(1, None)))
            ledger.apply(settle(f"r{thread}-{n}", actual=1))

    at_once([lambda thread=thread: work(thread) for thread in range(CALLERS)])
    assert sum(batches) == CALLERS * 16
    assert len(batches) <= CALLERS * 16 / 8, f"{len(batches)} commits"


async def test_tasks_share_commits(ledger: SqliteLedger, batches: list[int]) -> None:
    book = ledger.for_async()

    async def work(task: int) -> None:
        for n in range(8):
            await book.apply(reserve(f"r{task}-{n}", hold(1, None)))
            await book.apply(settle(f"r{task}-{n}", actual=1))

    await asyncio.gather(*[work(task) for task in range(CALLERS)])
    assert sum(batches) == CALLERS * 16
    assert len(batches) <= CALLERS * 16 / 8, f"{len(batches)} commits"


async def test_tasks_and_threads_are_granted_together_what_fits(ledger: SqliteLedger) -> None:
    book = ledger.for_async()
    messages = [reserve(f"r{n:03}", hold(1, 100)) for n in range(200)]
    threads = asyncio.gather(*[asyncio.to_thread(ledger.apply, message) for message in messages[:100]])
    tasks = asyncio.gather(*[book.apply(message) for message in messages[100:]])
    kinds = Counter(type(answer) for answer in (*await threads, *await tasks))
    assert kinds[Reserved] == 100


async def test_a_loop_goes_on_while_a_transaction_waits_for_the_disk(ledger: SqliteLedger) -> None:
    inside, go = threading.Event(), threading.Event()
    together = ledger._executor.execute

    def slowly(batch: Any) -> None:
        inside.set()
        assert go.wait(30)
        together(batch)

    ledger._writer._execute = slowly
    task = asyncio.create_task(ledger.for_async().apply(reserve("r1", hold(1, 10))))
    assert await asyncio.to_thread(inside.wait, 30)
    for _ in range(100):
        await asyncio.sleep(0)
    assert not task.done()
    go.set()
    assert say(await task) == "held"


async def test_a_task_that_is_cancelled_leaves_the_others_alone(ledger: SqliteLedger) -> None:
    book = ledger.for_async()
    tasks = [asyncio.create_task(book.apply(reserve(f"r{n}", hold(1, 10)))) for n in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answers[1], asyncio.CancelledError)
    assert [say(answer) for n, answer in enumerate(answers) if n != 1] == ["held"] * 3


def test_a_loop_that_is_closed_before_its_answer_harms_nobody(ledger: SqliteLedger) -> None:
    async def leave() -> None:
        ledger._writer.ask_later(reserve("r1", hold(1, 10)), asyncio.get_running_loop().create_future())

    asyncio.run(leave())
    assert say(ledger.apply(reserve("r2", hold(1, 10)))) == "held"


def test_a_loop_after_a_loop_is_served(ledger: SqliteLedger) -> None:
    for n in range(3):
        assert say(asyncio.run(ledger.for_async().apply(reserve(f"r{n}", hold(1, 10))))) == "held"


def test_the_thread_for_loops_goes_when_none_asks_and_comes_again(
    ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent_airlock.ledger.sqlite.writer.IDLE_SECONDS", 0.01)
    for n in range(3):
        asyncio.run(ledger.for_async().apply(reserve(f"r{n}", hold(1, 10))))
        for thread in threading.enumerate():
            if thread.name == "airlock-ledger":
                thread.join(30)
                assert not thread.is_alive()


def test_a_queue_that_is_longer_than_a_batch_is_served_to_its_end(ledger: SqliteLedger, batches: list[int]) -> None:
    async def main() -> list[Any]:
        book = ledger.for_async()
        return await asyncio.gather(*[book.apply(charge(f"r{n}", hold(1, None), actual=1)) for n in range(700)])

    assert {say(answer) for answer in asyncio.run(main())} == {"charged"}
    assert max(batches) <= MAX_BATCH


def test_a_mistake_is_an_error_of_the_one_that_made_it(ledger: SqliteLedger) -> None:
    """Also where SQLite finds it, half way through a write."""
    bad = [
        settle("b0", hold(1, 10), actual=-1),
        reserve("b1", hold(1, 2**70)),
        reserve("b2", hold(1, 10), lease_ms=2**70),
        reserve("b3", hold(1, 10), labels=type(LABELS)(3)),  # type: ignore[arg-type]
    ]

    async def main() -> list[Any]:
        book = ledger.for_async()
        good = [reserve(f"r{n}", hold(1, 10)) for n in range(4)]
        commands = [command for pair in zip(good, bad, strict=True) for command in pair]
        return await asyncio.gather(*[book.apply(command) for command in commands], return_exceptions=True)

    answers = asyncio.run(main())
    assert [say(answer) for answer in answers[::2]] == ["held"] * 4
    assert all(isinstance(answer, Exception) and not isinstance(answer, LedgerError) for answer in answers[1::2])
    (balance,) = ledger.apply(Balances())
    assert balance.held == 4


@pytest.mark.parametrize("label", ["\ud800", "nul\0", "ü" * 300, "'; DROP TABLE head; --"])
def test_any_text_is_a_label_or_an_account(label: str, ledger: SqliteLedger) -> None:
    """A model's name comes from a caller."""
    answer = ledger.apply(reserve("r1", hold(1, 10), labels=type(LABELS)("tool", label)))
    assert say(answer) == "held"
    if label.isprintable():
        assert say(ledger.apply(reserve("r2", hold(1, 10, label)))) == "held"


def test_a_command_inside_a_command_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    inside: list[Any] = []
    clock = Clock()

    def asks() -> int:
        if inside == [None]:
            inside.append("asked")
            ledger.apply(reserve("r2", hold(1, 10)))
        return clock()

    ledger = SqliteLedger(tmp_path / "budgets.db", clock=asks)
    inside.append(None)
    with pytest.raises(LedgerUnavailable, match="a command inside a command"):
        ledger.apply(reserve("r1", hold(1, 10)))
    assert say(ledger.apply(reserve("r1", hold(1, 10)))) == "held"


def _go_on(ledger: SqliteLedger, stop: threading.Event) -> None:
    """Another caller, whose commands share the batches; whoever leads may be thrown out."""
    n = 0
    while not stop.is_set():
        try:
            ledger.apply(charge(f"other-{n}", hold(1, None, "other"), actual=1))
        except LedgerUnavailable as error:
            assert "interrupted" in str(error)  # noqa: PT017  (nothing raises where it must)
        n += 1
        time.sleep(0)
