"""A ledger in this process's memory: thread-safe, exact, bounded, gone with the process."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from itertools import islice, takewhile
from typing import Any, ClassVar, Final, Literal

from ..exceptions import LedgerUnavailable
from . import finalisers, rules
from .accounts import Account, Balance, Hold, Period
from .commands import (
    A,
    Balances,
    Charge,
    Check,
    CheckReport,
    Command,
    Entries,
    EntriesPage,
    Entry,
    Refused,
    Release,
    Reserve,
    Settle,
    State,
)
from .folds import Folds, Update
from .rows import HELD, Change, Reservation, floor_of

MAX_ENDED: Final = 100_000
"""Ended ids that are remembered, at most; older ones are ``Forgotten``."""
MAX_OVER_ACCOUNTS: Final = 10_000
"""Accounts that are kept, at most, after their period is over and nothing remembered points to them."""
DAY_MS: Final = 86_400_000
MAX_LANES: Final = 64
"""Leases of different lengths whose lanes are kept, at most, when nothing is in them."""
SWEEP: Final = 64
"""Ended leases that one command sweeps, at most."""

Folding = tuple[list[Reservation], list[Update]]
_waiting = finalisers.waiting
_NEVER: Final = float("inf")


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

    After a fork it refuses, in the child, every hold that has a limit: each child would have the whole cap.

    Args:
        clock: nanoseconds since 1970. The ledger's time never runs back, whatever this does.
        max_ended: how many ended ids it remembers.

    Raises:
        ValueError: ``max_ended`` is not at least 1.
    """

    is_async: ClassVar[Literal[False]] = False

    def __init__(self, *, clock: Callable[[], int] = time.time_ns, max_ended: int = MAX_ENDED) -> None:
        if type(max_ended) is not int or max_ended < 1:
            raise ValueError(f"MemoryLedger.max_ended must be a whole number of at least 1, not {max_ended!r}")
        if not callable(clock):
            raise TypeError(f"MemoryLedger.clock must be a function to nanoseconds, not {clock!r}")
        self._clock = clock
        self._max_ended = max_ended
        self._batch = max(1, max_ended // 100)
        self._forked = False
        self._start()
        _LEDGERS.add(self)

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._seen_ms = 0
        self._rows: dict[str, Reservation] = {}
        self._balances: dict[str, Balance] = {}
        self._lines: dict[str, Period] = {}
        # Open rows by lease, each in the order of its end: time never runs back, so that is the order of entry.
        self._open: dict[int, OrderedDict[str, Reservation]] = {}
        self._most_lanes = MAX_LANES
        self._next_expiry: float = _NEVER
        # Ended rows, oldest end first. A row that moved on since has a newer copy further back.
        self._ended: deque[Reservation] = deque()
        self._forget_at = self._batch
        self._forgotten_before = ""
        # Accounts whose window has an end, and at how many of them those that are over are dropped.
        self._ending = 0
        self._most_ending = MAX_OVER_ACCOUNTS
        # What forgotten rows had booked (settled, presumed), by account and labels: the opening balances.
        self._folds = Folds()
        # What is being written, from before its first step until after its last.
        self._writing: Change | None = None
        self._folding: Folding | None = None
        self._dropping: list[Account] | None = None

    def now_ms(self) -> int:
        """The ledger's time: the highest that its clock has shown."""
        wall = self._clock() // 1_000_000
        return wall if wall > self._seen_ms else self._seen_ms

    def apply(self, command: Command[A], /) -> A:
        """One verb, one answer; see ``rules.py`` for what each means.

        Raises:
            LedgerUnavailable: a hold with a limit, in a forked child.
            LedgerCorrupt: a rule of the money does not hold.
        """
        if _waiting():
            finalisers.drain()
        with self._lock:
            if self._writing is not None or self._folding is not None or self._dropping is not None:
                self._finish()
            now = self._clock() // 1_000_000
            if now > self._seen_ms:
                self._seen_ms = now
            else:
                now = self._seen_ms
            if now >= self._next_expiry:
                self._sweep(now, SWEEP)
            answer: A = _HANDLERS[type(command)](self, command, now)
            if len(self._ended) >= self._forget_at:
                self._forget()
            return answer

    # --- the verbs that move money -----------------------------------------------------------------------

    def _reserve(self, command: Reserve, now: int) -> object:
        if self._forked:
            _refuse_limits(command.holds)
        row = self._rows.get(command.id)
        if row is not None and row.expires_ms <= now:
            row = self._ended_by(row, now)
        answer, change = rules.reserve(row, self._balances, command, now, self._lines, self._forgotten_before)
        if change is not None:
            self._write(change)
        elif now >= self._next_expiry and isinstance(answer, Refused):
            # A refusal says whether money is spent or only held: no ended lease may still count as held.
            self._sweep(now, len(self._rows))
            answer, _ = rules.reserve(row, self._balances, command, now, self._lines, self._forgotten_before)
        return answer

    def _settle(self, command: Settle | Charge, now: int) -> object:
        row = self._rows.get(command.id)
        if row is not None and row.expires_ms <= now:
            row = self._ended_by(row, now)
        answer, change = rules.settle(row, self._balances, command, now, self._forgotten_before)
        if change is not None:
            self._write(change)
        return answer

    def _release(self, command: Release, now: int) -> object:
        row = self._rows.get(command.id)
        if row is not None and row.expires_ms <= now:
            row = self._ended_by(row, now)
        answer, change = rules.release(row, self._balances, command, now, self._forgotten_before)
        if change is not None:
            self._write(change)
        return answer

    def _ended_by(self, row: Reservation, now: int) -> Reservation:
        """The id's row, its lease ended if it has."""
        if not rules.is_due(row, now):
            return row
        self._expire(row, now)
        return self._rows[row.id]

    # --- writing: what is to be written is noted first, so that an interrupt (Ctrl-C) leaves no half of it ----

    def _write(self, change: Change) -> None:
        self._writing = change
        self._finish_writing(change)

    def _finish(self) -> None:
        """Write again what an interrupt may have cut short. Each step may be done twice."""
        if self._writing is not None:
            self._finish_writing(self._writing, again=True)
        if self._folding is not None:
            self._finish_folding(self._folding)
        if self._dropping is not None:
            self._finish_dropping(self._dropping)

    def _finish_writing(self, change: Change, *, again: bool = False) -> None:
        row, after = change
        id = row.request.id
        balances = self._balances
        for balance in after:
            account = balance.account
            old = balances.get(account.id)
            if old is None and account.period.end_ms is not None:
                self._ending += 1
            if balance.granted and (old is None or not old.granted):
                self._lines[account.line] = account.period
            balances[account.id] = balance
        self._rows[id] = row
        if row.state is HELD:
            self._open_row(row)
        else:
            lane = self._open.get(row.lease_ms)
            if lane is not None:
                lane.pop(id, None)
            ended = self._ended
            if not (again and ended and ended[-1] is row):
                ended.append(row)
        self._writing = None
        if self._ending > self._most_ending:
            self._drop_accounts()

    def _open_row(self, row: Reservation) -> None:
        lease_ms = row.lease_ms
        lane = self._open.get(lease_ms)
        if lane is None:
            if len(self._open) >= self._most_lanes:
                self._open = {lease: lane for lease, lane in self._open.items() if lane}
                self._most_lanes = max(MAX_LANES, 2 * len(self._open))
            lane = self._open[lease_ms] = OrderedDict()
        lane[row.request.id] = row
        if row.expires_ms < self._next_expiry:
            self._next_expiry = row.expires_ms

    def _forget(self) -> None:
        """Forget what ended too long ago, a batch at a time: what its rows booked becomes sums."""
        ended = self._ended
        spare = len(ended) - self._max_ended
        most = spare + self._batch if spare > 0 else 0
        rows = list(islice(ended, most)) or list(takewhile(self._is_old, islice(ended, self._batch)))
        # Of a row that moved on since, the newer copy comes later.
        gone = [row for row in rows if self._rows.get(row.request.id) is row]
        self._folding = (rows, self._folds.with_rows(gone))
        self._finish_folding(self._folding)
        self._forget_at = len(ended) + self._batch

    def _is_old(self, row: Reservation) -> bool:
        return row.ended_ms + max(DAY_MS, 10 * row.lease_ms) < self._seen_ms

    def _finish_folding(self, folding: Folding) -> None:
        rows, updates = folding
        self._folds.put(updates)
        remembered, ended = self._rows, self._ended
        # The mark first: an id without a row that is not below it would be new.
        gone = [row.request.id for row in rows if remembered.get(row.request.id) is row]
        self._forgotten_before = max([self._forgotten_before, *gone])
        for id in gone:
            del remembered[id]
        for row in rows:
            if ended and ended[0] is row:
                ended.popleft()
        self._folding = None

    def _drop_accounts(self) -> None:
        """Drop the accounts whose period is over and to which no remembered reservation points."""
        used = {hold.account.id for row in self._rows.values() for hold in row.holds}
        ending = [balance.account for balance in self._balances.values() if balance.account.period.end_ms is not None]
        over = [account for account in ending if not self._goes_on(account) and account.id not in used]
        self._ending = len(ending) - len(over)
        # The next look waits for as many more, so that looking costs each new account the same.
        self._most_ending = self._ending + MAX_OVER_ACCOUNTS
        self._dropping = over
        self._finish_dropping(over)

    def _goes_on(self, account: Account) -> bool:
        end = account.period.end_ms
        return end is None or end > self._seen_ms

    def _finish_dropping(self, accounts: list[Account]) -> None:
        for account in accounts:
            self._drop_line(account)
            self._balances.pop(account.id, None)
        self._folds.keep(self._balances)
        self._dropping = None

    def _drop_line(self, account: Account) -> None:
        """Forget the account's line, but not the time that it had: no later period may reach back into it."""
        period = self._lines.get(account.line)
        if period is None or period != account.period or period.end_ms is None:
            return
        floor = floor_of(account.window)
        known = self._lines.get(floor)
        if known is None or (known.end_ms or 0) < period.end_ms:
            self._lines[floor] = Period(0, period.end_ms)
        self._lines.pop(account.line, None)

    # --- leases ------------------------------------------------------------------------------------------

    def _sweep(self, now: int, most: int) -> None:
        """Presume the holds whose lease has ended, the oldest first, at most ``most``."""
        for lane in list(self._open.values()):
            while lane and most:
                row = next(iter(lane.values()))
                if not rules.is_due(row, now):
                    break
                self._expire(row, now)
                most -= 1
        ends = [next(iter(lane.values())).expires_ms for lane in self._open.values() if lane]
        self._next_expiry = min(ends, default=_NEVER)

    def _expire(self, row: Reservation, now: int) -> None:
        self._write(rules.expire(row, self._balances, now))

    # --- asking ------------------------------------------------------------------------------------------

    def _get_balances(self, command: Balances, now: int) -> object:
        self._sweep(now, len(self._rows))
        return tuple(
            balance
            for balance in self._balances.values()
            if command.scope is None or balance.account.scope == command.scope
        )

    def _get_entries(self, command: Entries, now: int) -> object:
        self._sweep(now, len(self._rows))
        scope = command.scope
        entries: list[Entry] = []
        for row in reversed(self._ended):
            if self._rows.get(row.id) is not row:
                continue
            if scope is None or any(hold.account.scope == scope for hold in row.holds):
                if len(entries) == command.limit:
                    break
                entries.append(_entry(row))
        accounts = [balance.account for balance in self._balances.values()]
        folded = self._folds.by_labels(account for account in accounts if scope in (None, account.scope))
        return EntriesPage(tuple(reversed(entries)), folded, now)

    def _check(self, command: Check, now: int) -> object:
        """Totals = opening balances + rows, for every account."""
        self._sweep(now, len(self._rows))
        expected = {id: [*self._folds.opening(id), 0] for id in self._balances}
        places = {State.SETTLED: 0, State.PRESUMED: 1, State.HELD: 2}
        for row in self._rows.values():
            for hold, amount in zip(row.holds, row.booked, strict=True):
                expected[hold.account.id][places.get(row.state, 0)] += amount
        problems = [
            f"{id}: settled, presumed, held are {found}; the rows say {expected[id]}"
            for id, balance in self._balances.items()
            if (found := [balance.settled, balance.presumed, balance.held]) != expected[id] and not balance.frozen
        ]
        return CheckReport(len(self._balances), len(self._rows), tuple(problems))

    # --- forks -------------------------------------------------------------------------------------------

    def _after_fork(self) -> None:
        self._forked = True
        self._start()


def _entry(row: Reservation) -> Entry:
    return Entry(
        row.id,
        row.state,
        row.how,
        row.ended_ms,
        tuple(hold.account for hold in row.holds),
        row.booked,
        row.actual or {},
        row.labels,
    )


_HANDLERS: Final[Mapping[type[Command[Any]], Callable[[MemoryLedger, Any, int], Any]]] = {
    Reserve: MemoryLedger._reserve,
    Settle: MemoryLedger._settle,
    Charge: MemoryLedger._settle,
    Release: MemoryLedger._release,
    Balances: MemoryLedger._get_balances,
    Entries: MemoryLedger._get_entries,
    Check: MemoryLedger._check,
}

_LEDGERS: Final[weakref.WeakSet[MemoryLedger]] = weakref.WeakSet()


def _after_fork() -> None:
    for ledger in list(_LEDGERS):
        ledger._after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork)
