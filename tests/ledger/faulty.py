"""A ledger whose line fails: ``faulty(book, at=3, fault="after")`` spoils its third command.

==========  =========================================================================================
``before``  the command is lost; the caller gets ``LedgerUnavailable``
``after``   it was applied, and its answer is lost; the caller gets ``LedgerUnavailable``
``late``    the caller gets ``LedgerUnavailable``; the command arrives right after the next one
``stray``   the same, and it arrives after all others: right after the next ``Balances``
``twice``   the line repeats it; the caller gets the second answer
==========  =========================================================================================
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, ClassVar, Final, Literal, get_args

from agent_airlock.exceptions import LedgerUnavailable
from agent_airlock.ledger.commands import A, AnyCommand, AsyncLedger, Balances, Book, Command, Ledger
from agent_airlock.ledger.flow import adrive, drive

Fault = Literal["before", "after", "late", "stray", "twice"]
FAULTS: Final[tuple[Fault, ...]] = get_args(Fault)


class _Line:
    """The plan of faults, written once for sync and async: a flow on the book behind it."""

    def __init__(self, inner: Book, at: int, fault: Fault | None) -> None:
        self.inner = inner
        self.at = at
        self.fault = fault
        self.sent = 0
        self._late: list[AnyCommand] = []

    def now_ms(self) -> int:
        return self.inner.now_ms()

    def _send(self, command: Command[A]) -> Generator[tuple[Book, AnyCommand], Any, A]:
        self.sent += 1
        fault = self.fault if self.sent == self.at else None
        late: list[AnyCommand] = []
        if self._late and (self.fault == "late" or type(command) is Balances):
            late, self._late = self._late, late
        if fault == "before":
            raise LedgerUnavailable("lost on its way")
        if fault in ("late", "stray"):
            self._late = [command]
            raise LedgerUnavailable("under way")
        answer: A = yield self.inner, command
        if fault == "twice":
            answer = yield self.inner, command
        for straggler in late:
            yield self.inner, straggler
        if fault == "after":
            raise LedgerUnavailable("the answer was lost")
        return answer


class FaultyLedger(_Line):
    is_async: ClassVar[Literal[False]] = False

    def apply(self, command: Command[A], /) -> A:
        return drive(self._send(command))


class AsyncFaultyLedger(_Line):
    is_async: ClassVar[Literal[True]] = True

    async def apply(self, command: Command[A], /) -> A:
        return await adrive(self._send(command))


def faulty(inner: Book, *, at: int, fault: Fault | None) -> Ledger | AsyncLedger:
    """``inner`` behind a line that spoils its ``at``-th command."""
    return AsyncFaultyLedger(inner, at, fault) if inner.is_async else FaultyLedger(inner, at, fault)
