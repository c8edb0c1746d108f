"""Ledgers for tests: one that writes down what it was asked, and fails when told to; one behind an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, ClassVar, Literal

from ..ledger.accounts import Unit
from ..ledger.commands import A, AsyncLedger, Balances, Charge, Command, Ledger, Release, Reserve, Settle
from ..ledger.memory import MemoryLedger

Moment = Literal["before", "after"]


class RecordingLedger:
    """A ledger that keeps every command with its answer. Thread-safe as far as ``inner`` is.

    Args:
        inner: what it stands in front of; a memory ledger unless given one.
        clock: of that memory ledger.
    """

    is_async: ClassVar[Literal[False]] = False

    def __init__(self, inner: Ledger | None = None, *, clock: Callable[[], int] | None = None) -> None:
        self.inner: Ledger = inner or (MemoryLedger() if clock is None else MemoryLedger(clock=clock))
        self.asked: list[tuple[Command[Any], Any]] = []
        """Each command and its answer, or the exception in its place, oldest first."""
        self._faults: list[tuple[type[Command[Any]], Exception, Moment]] = []
        self._lock = threading.Lock()

    def now_ms(self) -> int:
        return self.inner.now_ms()

    def apply(self, command: Command[A], /) -> A:
        """One verb, one answer; or the failure that :meth:`fail_next` has asked for."""
        fault = self._fault_of(command)
        try:
            if fault is not None and fault[1] == "before":
                raise fault[0]
            answer = self.inner.apply(command)
            if fault is not None:
                raise fault[0]
        except Exception as error:
            self.asked.append((command, error))
            raise
        self.asked.append((command, answer))
        return answer

    def fail_next(self, verb: type[Command[Any]], error: Exception, *, moment: Moment = "before") -> None:
        """Let the next command of this kind fail: before it has taken effect, or after it, its answer lost."""
        with self._lock:
            self._faults.append((verb, error, moment))

    def _fault_of(self, command: Command[Any]) -> tuple[Exception, Moment] | None:
        with self._lock:
            for place, (verb, error, moment) in enumerate(self._faults):
                if isinstance(command, verb):
                    del self._faults[place]
                    return error, moment
        return None

    @property
    def verbs(self) -> list[str]:
        """The names of the commands that move money, oldest first."""
        moves = (Reserve, Settle, Charge, Release)
        return [type(command).__name__ for command, _ in self.asked if isinstance(command, moves)]

    def booked(self, scope: str, unit: Unit = Unit.USD) -> int:
        """What is settled and presumed on the accounts of a scope: whole nanodollars, tokens or calls."""
        balances = self.inner.apply(Balances(scope))
        return sum(balance.settled + balance.presumed for balance in balances if balance.account.unit is unit)

    def __repr__(self) -> str:
        return f"<RecordingLedger of {len(self.asked)} commands>"


class AwaitedLedger:
    """What :func:`async_ledger` gives."""

    is_async: ClassVar[Literal[True]] = True

    def __init__(self, inner: Ledger) -> None:
        self.inner = inner

    def now_ms(self) -> int:
        return self.inner.now_ms()

    async def apply(self, command: Command[A], /) -> A:
        await asyncio.sleep(0)
        answer = self.inner.apply(command)
        await asyncio.sleep(0)
        return answer


def async_ledger(inner: Ledger | None = None) -> AsyncLedger:
    """A ledger that is to be awaited: each command gives the loop to other tasks, before it is applied and after."""
    return AwaitedLedger(inner or MemoryLedger())
