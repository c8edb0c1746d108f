"""The answers of a ledger, once more: its commands in their order, through the rules alone.

The rules are pure, so that whatever a ledger does beside them (sweeps in part, forgets, drops, syncs, retries) may
change no answer. What a ledger has forgotten it says itself; that is taken from its answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agent_airlock.exceptions import ClockJump
from agent_airlock.ledger import limits, rules
from agent_airlock.ledger.accounts import Account, Balance, Period
from agent_airlock.ledger.commands import Charge, Forgotten, PeriodOverlap, Release, Reserve, Settle, State
from agent_airlock.ledger.operations import Close, Freeze, Override, Raise, Resolve, Resolved
from agent_airlock.ledger.rows import Change, Head, Reservation
from tests.ledger.scenario import say
from tests.simulation.laws import Law, Violation
from tests.simulation.server import Applied

HANDLERS: dict[type, Any] = {
    Reserve: lambda *args: rules.reserve(*args),
    Settle: lambda *args: rules.settle(*args),
    Charge: lambda *args: rules.settle(*args),
    Release: lambda *args: rules.release(*args),
    Resolve: lambda *args: rules.resolve(*args),
}


class Replay:
    """Rows, balances, lines and overrides in dicts: as much of a ledger as the rules need."""

    def __init__(self) -> None:
        self._rows: dict[str, Reservation] = {}
        self._balances: dict[str, Balance] = {}
        self._lines: dict[str, Period] = {}
        self._overrides: dict[str, Override] = {}
        self._crowds: dict[str, int] = {}
        self._ends: dict[str, set[int]] = {}
        self._head = Head("replay", 1, lines=self._lines, overrides=self._overrides, crowds=self._crowds)

    def follow(self, trace: Iterable[Applied]) -> None:
        for applied in trace:
            command, answer = applied.command, applied.answer
            if isinstance(answer, ClockJump):
                continue
            self._head.now_ms = answer.stamp.now_ms
            self._end_leases()
            if isinstance(command, Raise | Freeze):
                self._overrides[command.line] = limits.overridden(self._overrides.get(command.line), command)
            elif isinstance(command, Close):
                self._close(command)
            elif type(command) in HANDLERS:
                self._follow_one(command, answer)

    def _follow_one(self, command: Any, answer: Any) -> None:
        row = self._rows.get(command.id)
        if isinstance(answer, Forgotten) or (isinstance(answer, Resolved) and answer.state is State.FORGOTTEN):
            if row is not None and row.state is State.HELD:
                raise Violation(Law.REPLAY, f"{command!r}: {answer!r}, though it is open")
            self._rows.pop(command.id, None)
            return
        mine, change = HANDLERS[type(command)](row, self._balances, command, self._head)
        if isinstance(answer, PeriodOverlap) and self._may_be_pruned(answer.account):
            return
        if say(mine) != say(answer) or _figures(mine) != _figures(answer):
            raise Violation(Law.REPLAY, f"{command!r}\n  the ledger says {answer!r}\n  the rules say {mine!r}")
        if change is not None:
            self._put(change)

    def _may_be_pruned(self, account: Account) -> bool:
        """A ledger that drops what is over keeps one mark for a window: nothing may reach back before it."""
        ends = self._ends.get(account.window, ())
        return any(account.period.start_ms < end <= self._head.now_ms for end in ends)

    def _end_leases(self) -> None:
        for row in list(self._rows.values()):
            if rules.is_due(row, self._head.now_ms):
                self._put(rules.expire(row, self._balances, self._head))

    def _close(self, command: Close) -> None:
        closed = limits.closed(command.account, self._balances.get(command.account.id))
        if closed is not None:
            self._balances[closed.account.id] = closed

    def _put(self, change: Change) -> None:
        row, after = change
        for hold, balance in zip(row.holds, after, strict=True):
            account = balance.account
            if hold.crowd is not None and account.id not in self._balances:
                overflow = hold.crowd.overflow.id
                self._crowds[overflow] = self._crowds.get(overflow, 0) + 1
            self._balances[account.id] = balance
            if balance.granted:
                self._lines[account.line] = account.period
                self._ends.setdefault(account.window, set()).add(account.period.end_ms or 0)
        self._rows[row.id] = row


def _figures(answer: Any) -> list[tuple[str, int, int]]:
    """What an answer says of accounts that go on: those of a period that is over may have been dropped.

    What is held and what presumed depends on how far a ledger has swept; the witness looks at their sum.
    """
    return [
        (balance.account.id, balance.settled, balance.overrun)
        for balance in getattr(answer, "after", ())
        if balance.account.period.end_ms is None or balance.account.period.end_ms > answer.stamp.now_ms
    ]
