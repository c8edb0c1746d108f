"""A ledger in this process's memory: thread-safe, exact, bounded, gone with the process."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, Literal

from ..exceptions import ClockJump, LedgerUnavailable
from . import finalisers, operating, reading, rules
from .accounts import Hold
from .clocks import Explained, NanoClock, boot_ns
from .commands import A, Balances, Charge, Check, Command, Entries, Refused, Release, Reserve, Settle
from .operations import Audit, Clock, Close, Compact, Freeze, ListOverrides, Open, Raise, Resolve
from .store import Store

MAX_ENDED: Final = 100_000
"""Ended ids that are remembered, at most; older ones are ``Forgotten``."""
SWEEP: Final = 64
"""Ended leases that one command sweeps, at most."""

_waiting = finalisers.waiting


def _refuse_limits(holds: tuple[Hold, ...]) -> None:
    if any(hold.limit is not None for hold in holds):
        raise LedgerUnavailable(
            "a memory ledger does not hold a limit after a fork, because each child would have the whole cap: make the "
            "ledger in the child, or share one between processes (sqlite:///…)"
        )


class MemoryLedger:
    """Reservations and spend in memory.

    Bounded: it remembers at most the newest 100,000 ended ids, each for 24 hours and at least ten leases after its
    end, and folds what it forgets, a hundredth of them at a time, into sums. Of the accounts whose period is over, to
    which nothing that it remembers points, it keeps at most 10,000. Accounts of the window ``total`` and open holds
    are never dropped.

    While its clock is ahead of what the boot clock explains it grants nothing, and goes by the boot clock; money is
    booked and given back all the same. ``Clock`` tells, and lets an operator put it right.

    After a fork it refuses, in the child, every hold that has a limit: each child would have the whole cap.

    Args:
        clock: nanoseconds since 1970; the machine's clock if none is given. The ledger's time never runs back,
            whatever this does.
        max_ended: how many ended ids it remembers.
        boot_clock: nanoseconds since any moment, which only go on. The machine's if no ``clock`` is given; a clock
            of one's own is believed whatever it says, if no boot clock is given with it.

    Raises:
        ValueError: ``max_ended`` is not at least 1.
    """

    is_async: ClassVar[Literal[False]] = False

    def __init__(
        self, *, clock: NanoClock | None = None, max_ended: int = MAX_ENDED, boot_clock: NanoClock | None = None
    ) -> None:
        if type(max_ended) is not int or max_ended < 1:
            raise ValueError(f"MemoryLedger.max_ended must be a whole number of at least 1, not {max_ended!r}")
        for name, given in (("clock", clock), ("boot_clock", boot_clock)):
            if given is not None and not callable(given):
                raise TypeError(f"MemoryLedger.{name} must be a function to nanoseconds, not {given!r}")
        self._clock = time.time_ns if clock is None else clock
        self._boot_clock = boot_ns if clock is None and boot_clock is None else boot_clock
        self._max_ended = max_ended
        self._id = os.urandom(8).hex()
        self._forked = False
        self._start(epoch=1)
        _LEDGERS.add(self)

    def _start(self, epoch: int) -> None:
        self._lock = threading.Lock()
        self._store = Store(self._id, epoch, self._max_ended)
        self._head = self._store.head
        self._explained = Explained(self._boot_clock, self._clock() // 1_000_000)

    def now_ms(self) -> int:
        """The ledger's time: the highest that its clock has shown, as far as that can be."""
        wall = self._clock() // 1_000_000
        return max(self._head.now_ms, self._explained.now(wall))

    def apply(self, command: Command[A], /) -> A:
        """One verb, one answer; see ``rules.py`` for what each means.

        Raises:
            LedgerUnavailable: a hold with a limit, in a forked child.
            ClockJump: a reserve, while the clock is ahead of what can be.
            LedgerCorrupt: a rule of the money does not hold.
        """
        if _waiting():
            finalisers.drain()
        with self._lock:
            store = self._store
            if store.writing is not None or store.doing is not None:
                store.finish()
            head = self._head
            wall = self._clock() // 1_000_000
            now = head.now_ms
            if wall > now:
                if wall > self._explained.believed_ms:
                    wall = self._explained.look(wall)
                head.now_ms = now = max(now, wall)
            if now >= store.next_expiry:
                store.sweep(now, SWEEP)
            answer: A = _HANDLERS[type(command)](self, command)
            if len(store.ended) >= store.forget_at:
                store.forget()
            return answer

    # --- the verbs that move money -----------------------------------------------------------------------

    def _reserve(self, command: Reserve) -> object:
        if self._explained.leap_ms:
            self._refuse_leap()
        if self._forked:
            _refuse_limits(command.holds)
        store, head = self._store, self._head
        now = head.now_ms
        row = store.rows.get(command.id)
        if row is not None and row.expires_ms <= now:
            row = store.ended_by(row, now)
        answer, change = rules.reserve(row, store.balances, command, head)
        if change is not None:
            store.write(change)
        elif now >= store.next_expiry and isinstance(answer, Refused):
            # A refusal says whether money is spent or only held: no ended lease may still count as held, nor, lapsed,
            # stand in the way.
            store.sweep(now, len(store.rows))
            answer, change = rules.reserve(row, store.balances, command, head)
            if change is not None:
                store.write(change)
        return answer

    def _refuse_leap(self) -> None:
        """The clock leapt when it was last looked at; it may have been set right."""
        explained = self._explained
        explained.look(self._clock() // 1_000_000)
        if explained.leap_ms:
            raise ClockJump(explained.leap_ms)

    def _settle(self, command: Settle | Charge) -> object:
        store, head = self._store, self._head
        row = store.rows.get(command.id)
        if row is not None and row.expires_ms <= head.now_ms:
            row = store.ended_by(row, head.now_ms)
        answer, change = rules.settle(row, store.balances, command, head)
        if change is not None:
            store.write(change)
        return answer

    def _release(self, command: Release) -> object:
        store, head = self._store, self._head
        row = store.rows.get(command.id)
        if row is not None and row.expires_ms <= head.now_ms:
            row = store.ended_by(row, head.now_ms)
        answer, change = rules.release(row, store.balances, command, head)
        if change is not None:
            store.write(change)
        return answer

    # --- the rest ----------------------------------------------------------------------------------------

    def _ask(self, command: Command[Any], answer: Callable[[Store, Any], object]) -> object:
        """Answer when every lease that has ended is ended."""
        store = self._store
        if self._head.now_ms >= store.next_expiry:
            store.sweep(self._head.now_ms, len(store.rows))
        return answer(store, command)

    def _set_clock(self, command: Clock) -> object:
        return operating.clock(self._store, self._explained, self._clock() // 1_000_000, command)

    # --- forks -------------------------------------------------------------------------------------------

    def _after_fork(self) -> None:
        self._forked = True
        self._start(self._head.epoch + 1)


def _asked(answer: Callable[[Store, Any], object]) -> Callable[[MemoryLedger, Any], object]:
    return lambda ledger, command: ledger._ask(command, answer)


_HANDLERS: Final[Mapping[type[Command[Any]], Callable[[MemoryLedger, Any], Any]]] = {
    Reserve: MemoryLedger._reserve,
    Settle: MemoryLedger._settle,
    Charge: MemoryLedger._settle,
    Release: MemoryLedger._release,
    Balances: _asked(reading.balances),
    Entries: _asked(reading.entries),
    Check: _asked(reading.check),
    Open: _asked(reading.open_rows),
    ListOverrides: _asked(reading.overrides),
    Audit: _asked(reading.audit),
    Resolve: _asked(operating.resolve),
    Raise: _asked(operating.override),
    Freeze: _asked(operating.override),
    Close: _asked(operating.close),
    Compact: _asked(operating.compact),
    Clock: MemoryLedger._set_clock,
}

_LEDGERS: Final[weakref.WeakSet[MemoryLedger]] = weakref.WeakSet()


def _after_fork() -> None:
    for ledger in list(_LEDGERS):
        ledger._after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork)
