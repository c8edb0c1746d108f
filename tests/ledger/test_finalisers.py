"""A finaliser may run inside the garbage collector while its thread holds a ledger's lock: it only enqueues."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from agent_airlock.exceptions import LedgerUnavailable
from agent_airlock.ledger import finalisers
from agent_airlock.ledger.accounts import Balance
from agent_airlock.ledger.commands import AnyCommand, Balances, Book, Check, Entries
from agent_airlock.ledger.flow import Flow, adrive, ask
from agent_airlock.ledger.memory import MemoryLedger
from tests.ledger.books import Scripted
from tests.ledger.crowd import at_once
from tests.ledger.ledgers import open_bench
from tests.ledger.processes import in_child, run_python
from tests.ledger.words import charge, hold, release, reserve, settle


@pytest.fixture
def book() -> Iterator[MemoryLedger]:
    """A memory ledger; nothing that a test put aside is left for the next."""
    with open_bench() as bench:
        assert isinstance(bench.book, MemoryLedger)
        yield bench.book
        assert finalisers.waiting() == 0


def _book_later(book: Book, id: str = "late", actual: int = 3) -> None:
    def flow() -> Flow[None]:
        yield from ask(book, charge(id, hold(actual, None), actual=actual))

    finalisers.later(flow())


def _settled(book: MemoryLedger) -> int:
    balances: tuple[Balance, ...] = book.apply(Balances())
    return sum(balance.settled for balance in balances)


@pytest.mark.parametrize(
    "command",
    [
        *[reserve("r1", hold(0, 1)), settle("r1", hold(0, 1)), charge("r1", hold(0, 1)), release("r1")],
        *[Balances(), Entries(), Check()],
    ],
    ids=lambda command: type(command).__name__,
)
def test_a_flow_put_aside_runs_at_the_next_command_of_any_kind(command: AnyCommand, book: MemoryLedger) -> None:
    _book_later(book)
    assert finalisers.waiting() == 1
    book.apply(command)
    assert finalisers.waiting() == 0
    assert _settled(book) == 3


def test_its_money_is_there_in_the_answer_that_made_it_run(book: MemoryLedger) -> None:
    _book_later(book)
    (balance,) = book.apply(Balances())
    assert balance.settled == 3


def test_putting_aside_runs_nothing(book: MemoryLedger) -> None:
    other = Scripted("answer")
    finalisers.later(ask(other, Balances()))
    assert other.asked == []
    book.apply(Check())
    assert other.asked == [Balances()]


def test_a_flow_that_puts_another_aside_has_it_run_too(book: MemoryLedger) -> None:
    def flow() -> Flow[None]:
        yield from ask(book, charge("c1", hold(1, None), actual=1))
        _book_later(book, "c2", 2)

    finalisers.later(flow())
    assert _settled(book) == 3


def test_a_command_of_an_async_flow_runs_it(book: MemoryLedger) -> None:
    _book_later(book)
    asyncio.run(adrive(ask(book, Check())))
    assert finalisers.waiting() == 0


def test_flows_of_many_threads_run_once_each(book: MemoryLedger) -> None:
    def work(thread: int) -> None:
        for n in range(5):
            _book_later(book, f"c{thread}-{n}", 1)
            if n % 2:
                book.apply(Balances("nobody"))

    at_once([partial(work, thread) for thread in range(64)])
    assert _settled(book) == 64 * 5


def test_a_thousand_dropped_streams_are_settled_at_the_next_command() -> None:
    book = MemoryLedger()
    for n in range(1_000):
        _book_later(book, f"c{n:04}", 1)
    try:
        book.apply(Check())
    finally:
        finalisers._forget()
    assert _settled(book) == 1_000


def test_an_error_of_a_flow_put_aside_is_not_an_error_of_the_command_that_runs_it() -> None:
    book = MemoryLedger()
    finalisers.later(ask(Scripted(LedgerUnavailable("another ledger is down")), Check()))
    _book_later(book)
    try:
        assert book.apply(Check()).problems == ()
        assert _settled(book) == 3
    finally:
        finalisers._forget()


def test_what_is_left_runs_at_the_end_of_the_process() -> None:
    said = run_python(
        """
        from agent_airlock.ledger import finalisers
        from agent_airlock.ledger.flow import ask
        from tests.ledger.words import settle

        class Book:
            is_async = False
            def apply(self, command):
                print("settled", command.id)

        finalisers.later(ask(Book(), settle("r1")))
        finalisers.later(ask(Book(), settle("r2")))
        print("end of the script")
        """
    )
    assert said.splitlines() == ["end of the script", "settled r1", "settled r2"]


def test_an_error_at_the_end_of_the_process_does_not_lose_the_others() -> None:
    said = run_python(
        """
        import sys
        from agent_airlock.ledger import finalisers
        from agent_airlock.ledger.flow import ask
        from tests.ledger.words import settle

        sys.stderr = sys.stdout

        class Book:
            is_async = False
            def apply(self, command):
                if command.id == "r1":
                    raise OSError("no disk")
                print("settled", command.id)

        finalisers.later(ask(Book(), settle("r1")))
        finalisers.later(ask(Book(), settle("r2")))
        """
    )
    assert "settled r2" in said


def test_streams_dropped_in_cycles_do_not_deadlock_under_a_collector_that_runs_all_the_time() -> None:
    """docs/ledger.md, in process: a finaliser that settled in place waited for its own thread's lock, for ever."""
    said = run_python(
        """
        import gc
        from agent_airlock.ledger import finalisers
        from agent_airlock.ledger.commands import Balances, Check
        from agent_airlock.ledger.flow import ask
        from agent_airlock.ledger.memory import MemoryLedger
        from tests.ledger.words import hold, reserve, settle

        gc.set_threshold(5)
        ledger = MemoryLedger()
        in_the_lock = []

        def stream(id):
            ledger.apply(reserve(id, hold(5, None), lease_ms=10**9))
            try:
                yield
            finally:
                in_the_lock.append(ledger._lock.locked())
                finalisers.later(ask(ledger, settle(id, actual=1)))

        for n in range(2_000):
            cycle = [stream(f"r{n:04}")]
            next(cycle[0])
            cycle.append(cycle)
            del cycle
        gc.collect()
        (balance,) = ledger.apply(Balances())
        print(balance.settled, balance.held, len(ledger.apply(Check()).problems), any(in_the_lock))
        """
    )
    assert said == "2000 0 0 True", "settled, held, problems; and whether a finaliser ran in the lock"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_forgets_the_parents_flows(book: MemoryLedger) -> None:
    """They are the parent's calls: run in both, each would be booked twice on a ledger that both share."""
    other = Scripted("answer")

    def flow() -> Flow[Any]:
        return (yield from ask(other, settle("r1")))

    finalisers.later(flow())

    def child() -> str:
        waiting = finalisers.waiting()
        finalisers.drain()
        return f"{waiting} waiting, asked {other.asked}"

    assert in_child(child) == "0 waiting, asked []"
    assert finalisers.waiting() == 1
    book.apply(Check())
    assert other.asked == [settle("r1")]


def test_a_log_that_cannot_be_written_does_not_lose_the_flows_behind_it() -> None:
    class Down(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("disk full")

    book, handler = MemoryLedger(), Down()
    finalisers.later(ask(Scripted(LedgerUnavailable("another ledger is down")), Check()))
    _book_later(book)
    logging.getLogger("agent_airlock").addHandler(handler)
    try:
        assert book.apply(Check()).problems == ()
        assert _settled(book) == 3
    finally:
        logging.getLogger("agent_airlock").removeHandler(handler)
        finalisers._forget()
