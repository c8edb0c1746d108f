"""What the gate's tests share: ledgers to watch, prices that are easy to reckon with, and a look at the books."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, ClassVar, Final, Literal

from agent_airlock import AirlockConfig, CostTracker, Event, EventKind, MemoryLedger, TokenUsage
from agent_airlock.ledger.accounts import Balance
from agent_airlock.ledger.commands import Balances, Book, Charge, Check, Command, Release, Reserve, Settle
from agent_airlock.ledger.finalisers import drain
from tests.ledger.clock import DAY_MS, Clock

PRICING: Final = {"default": {"input": Decimal("0.001"), "output": Decimal("0.002")}}
"""A token of input costs 1,000 nanodollars, one of output 2,000."""
CENT: Final = 10_000_000

__all__ = [
    "CENT",
    "PRICING",
    "AsyncBook",
    "Clock",
    "Events",
    "Recording",
    "Scripted",
    "audit",
    "balances",
    "cost_of",
    "priced",
]


def priced(**options: Any) -> CostTracker:
    """A tracker with the easy prices."""
    return CostTracker(pricing=PRICING, **options)


def cost_of(usage: TokenUsage) -> int:
    """In nanodollars, by the easy prices, reckoned apart from the package."""
    return usage.input_tokens * 1_000 + usage.output_tokens * 2_000


class Recording:
    """A sync ledger that writes down the verbs it was asked."""

    is_async: ClassVar[Literal[False]] = False

    def __init__(self, inner: MemoryLedger | None = None) -> None:
        self.inner = inner or MemoryLedger()
        self.asked: list[Command[Any]] = []

    def now_ms(self) -> int:
        return self.inner.now_ms()

    def apply(self, command: Command[Any], /) -> Any:
        self.asked.append(command)
        return self.inner.apply(command)

    @property
    def verbs(self) -> list[str]:
        moves = (Reserve, Settle, Release, Charge)
        return [type(command).__name__ for command in self.asked if isinstance(command, moves)]


class Scripted(Recording):
    """A sync ledger that runs ``before`` or ``after`` each command of one kind: raise there, and it is a fault."""

    def __init__(
        self,
        kind: type[Command[Any]],
        *,
        before: Callable[[], object] = lambda: None,
        after: Callable[[], object] = lambda: None,
        inner: MemoryLedger | None = None,
    ) -> None:
        super().__init__(inner)
        self.kind, self.before, self.after = kind, before, after

    def apply(self, command: Command[Any], /) -> Any:
        mine = isinstance(command, self.kind)
        if mine:
            self.before()
        answer = super().apply(command)
        if mine:
            self.after()
        return answer


class Events:
    """A listener that keeps what it hears; ``config`` hands it to a gate."""

    def __init__(self) -> None:
        self.heard: list[Event] = []

    @property
    def config(self) -> AirlockConfig:
        return AirlockConfig(on_event=self.heard.append)

    def of(self, kind: EventKind) -> list[Event]:
        return [event for event in self.heard if event.kind is kind]

    @property
    def kinds(self) -> list[str]:
        return [event.kind.value for event in self.heard]


def balances(book: Book) -> dict[str, Balance]:
    """By scope and unit; a test has one account of each."""
    inner: Any = book if isinstance(book, MemoryLedger) else getattr(book, "inner", book)
    drain()
    return {f"{balance.account.scope}/{balance.account.unit.value}": balance for balance in inner.apply(Balances())}


def audit(ledger: MemoryLedger, clock: Clock) -> None:
    """Totals are the sums of the rows, and no hold outlives its lease."""
    drain()
    assert ledger.apply(Check()).problems == ()
    clock.ms = ledger.now_ms() + 30 * DAY_MS
    assert [balance for balance in ledger.apply(Balances()) if balance.held] == []
    assert ledger.apply(Check()).problems == ()


@contextmanager
def all_logs(name: str = "agent_airlock") -> Iterator[list[logging.LogRecord]]:
    """Everything logged below ``name`` while the block runs, at every level."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler(logging.DEBUG)
    handler.emit = records.append
    logger = logging.getLogger(name)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield records
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


class AsyncBook:
    """An async ledger: each command gives the loop to others before it is applied, and after."""

    is_async: ClassVar[Literal[True]] = True

    def __init__(self, inner: MemoryLedger | None = None) -> None:
        self.inner = inner or MemoryLedger()
        self.asked: list[Command[Any]] = []

    def now_ms(self) -> int:
        return self.inner.now_ms()

    async def apply(self, command: Command[Any], /) -> Any:
        self.asked.append(command)
        await asyncio.sleep(0)
        answer = self.inner.apply(command)
        await asyncio.sleep(0)
        return answer
