"""The one table of ledgers. A new kind of ledger is a new row, and every test of the suite runs on it.

A *bench* is a ledger on a clock that the test moves. It speaks to sync and async ledgers through the
package's own ``drive`` and ``adrive``, so that a test is written once, as plain code.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from agent_airlock.ledger.accounts import Balance
from agent_airlock.ledger.commands import A, Balances, Book, Check, Command
from agent_airlock.ledger.flow import Flow, adrive, ask, drive
from agent_airlock.ledger.memory import MemoryLedger
from agent_airlock.ledger.sqlite import SqliteLedger
from agent_airlock.testing.ledgers import AwaitedLedger
from tests.ledger.clock import DAY_MS, Clock

R = TypeVar("R")


class AsyncMemoryLedger(AwaitedLedger):
    """A memory ledger behind an event loop."""


def _memory(clock: Clock, **options: Any) -> Book:
    return MemoryLedger(clock=clock, boot_clock=clock.boot, **options)


def _async_memory(clock: Clock, **options: Any) -> Book:
    return AsyncMemoryLedger(MemoryLedger(clock=clock, boot_clock=clock.boot, **options))


_FOLDERS: Final[list[tempfile.TemporaryDirectory[str]]] = []


def new_file() -> Path:
    """Where there is no file yet; the folder goes when the tests end."""
    folder = tempfile.TemporaryDirectory(prefix="ledger-")
    _FOLDERS.append(folder)
    return Path(folder.name, "budgets.db")


def _sqlite(clock: Clock, **options: Any) -> SqliteLedger:
    """Nothing here is about syncs, which cost most of the time: ``tests/ledger/sqlite`` is."""
    return SqliteLedger(new_file(), durability="normal", clock=clock, boot_clock=clock.boot, **options)


def _async_sqlite(clock: Clock, **options: Any) -> Book:
    return _sqlite(clock, **options).for_async()


LEDGERS: Final[dict[str, Callable[..., Book]]] = {
    "memory": _memory,
    "async memory": _async_memory,
    "sqlite": _sqlite,
    "async sqlite": _async_sqlite,
}
SYNC_LEDGERS: Final = ("memory", "sqlite")
"""Those that threads share."""


class Bench:
    """A ledger, its clock, and one way to speak to it."""

    def __init__(self, name: str, runner: asyncio.Runner, **options: Any) -> None:
        self.clock = Clock()
        self.book = LEDGERS[name](self.clock, **options)
        self._runner = runner

    def run(self, flow: Flow[R]) -> R:
        return self._runner.run(adrive(flow)) if self.book.is_async else drive(flow)

    def apply(self, command: Command[A]) -> A:
        return self.run(ask(self.book, command))

    def balances(self, scope: str | None = None) -> dict[str, Balance]:
        """By account id."""
        return {balance.account.id: balance for balance in self.apply(Balances(scope))}

    def balance(self, scope: str = "agent:a") -> Balance:
        (balance,) = self.apply(Balances(scope))
        return balance

    def audit_totals(self, when: str = "at the end") -> None:
        """Totals are the sum of the rows."""
        assert self.apply(Check()).problems == (), when

    def audit(self) -> None:
        """The end of every test: totals are the sum of the rows, and no hold outlives its lease."""
        self.audit_totals()
        self.clock.ms = self.book.now_ms() + 1_000 * DAY_MS
        leaked = [balance for balance in self.apply(Balances()) if balance.held]
        assert leaked == [], "held, though every lease has ended"
        self.audit_totals("when every lease has ended")


@contextmanager
def open_bench(name: str = "memory", *, audited: bool = True, **options: Any) -> Iterator[Bench]:
    """A bench for as long as the block runs. If the block ends well, it ends with an audit."""
    with asyncio.Runner() as runner:
        bench = Bench(name, runner, **options)
        yield bench
        if audited:
            bench.audit()
