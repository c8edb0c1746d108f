"""What a memory ledger keeps: rows, balances, lines and sums; bounded, and never half written.

What is to be written is noted first, so that an interrupt (Ctrl-C, a time-out that a signal raises) leaves no half of
it: the next command writes it again, and each step may be done twice.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from functools import partial
from itertools import islice, takewhile
from typing import Final

from . import rules
from .accounts import Account, Balance, Period
from .commands import Reserve
from .folds import Folds, Update
from .ids import first_of, is_ahead
from .operations import AuditEntry, Override
from .rows import FLOORS, HELD, Change, Head, Reservation, floor_of

MAX_OVER_ACCOUNTS: Final = 10_000
"""Accounts that are kept, at most, after their period is over and nothing remembered points to them."""
MAX_AUDIT: Final = 10_000
"""What operators did: the newest that are kept."""
MAX_LANES: Final = 64
"""Leases of different lengths whose lanes are kept, at most, when nothing is in them."""
DAY_MS: Final = 86_400_000

Step = Callable[[], object]
NEVER: Final = float("inf")


class Store:
    """Rows and balances in memory. Not thread-safe: a ledger's lock is around it."""

    def __init__(self, ledger: str, epoch: int, max_ended: int) -> None:
        self.rows: dict[str, Reservation] = {}
        self.balances: dict[str, Balance] = {}
        self.lines: dict[str, Period] = {}
        self.overrides: dict[str, Override] = {}
        self.crowds: dict[str, int] = {}
        self.head = Head(ledger, epoch, lines=self.lines, overrides=self.overrides, crowds=self.crowds)
        self.audit: deque[AuditEntry] = deque(maxlen=MAX_AUDIT)
        # Open rows by lease, each in the order of its end: time never runs back, so that is the order of entry.
        self.open: dict[int, OrderedDict[str, Reservation]] = {}
        self.next_expiry: float = NEVER
        # Ended rows, oldest end first. A row that moved on since has a newer copy further back.
        self.ended: deque[Reservation] = deque()
        # What forgotten rows had booked (settled, presumed), by account and labels: the opening balances.
        self.folds = Folds()
        self._max_ended = max_ended
        self._batch = max(1, max_ended // 100)
        self.forget_at = self._batch
        self._most_lanes = MAX_LANES
        # Accounts whose window has an end, and at how many of them those that are over are dropped.
        self._ending = 0
        self._most_ending = MAX_OVER_ACCOUNTS
        # Which accounts a crowd has opened, by the id of its overflow account.
        self._members: dict[str, tuple[Account, set[str]]] = {}
        # What is being written, from before its first step until after its last.
        self.writing: Change | None = None
        self.doing: Step | None = None

    # --- writing -----------------------------------------------------------------------------------------

    def write(self, change: Change) -> None:
        self.head.seq += 1
        self.writing = change
        self.put(change)
        self.writing = None
        if self._ending > self._most_ending:
            self.drop_accounts()

    def do(self, step: Step) -> None:
        """Write by a step that may be done twice."""
        self.head.seq += 1
        self.doing = step
        step()
        self.doing = None

    def finish(self) -> None:
        """Write again what an interrupt may have cut short."""
        if self.writing is not None:
            self.put(self.writing, again=True)
            self.writing = None
        if self.doing is not None:
            self.doing()
            self.doing = None

    def put(self, change: Change, *, again: bool = False) -> None:
        row, after = change
        request = row.request
        id = request.id
        balances = self.balances
        for balance in after:
            account = balance.account
            old = balances.get(account.id)
            if old is None:
                self._count_opened(row, account)
            if (old is None or not old.granted) and balance.granted:
                self.lines[account.line] = account.period
            balances[account.id] = balance
        self.rows[id] = row
        held = row.state is HELD
        if type(request) is Reserve:  # no other is ever open
            lane = self.open.get(request.lease_ms)
            if held:
                if lane is None:
                    lane = self._new_lane(request.lease_ms)
                lane[id] = row
                if row.expires_ms < self.next_expiry:
                    self.next_expiry = row.expires_ms
            elif lane is not None:
                lane.pop(id, None)
        if not held:
            ended = self.ended
            if not (again and ended and ended[-1] is row):
                ended.append(row)

    def add(self, balance: Balance) -> None:
        """Write the balance of an account to which no row points yet."""
        account = balance.account
        if account.id not in self.balances and account.period.end_ms is not None:
            self._ending += 1
        self.balances[account.id] = balance

    def record(self, entry: AuditEntry) -> None:
        if not (self.audit and self.audit[-1] is entry):
            self.audit.append(entry)

    def _count_opened(self, row: Reservation, account: Account) -> None:
        if account.period.end_ms is not None:
            self._ending += 1
        for hold in row.holds:
            if hold.crowd is not None and hold.account is account:
                overflow = hold.crowd.overflow
                _, members = self._members.setdefault(overflow.id, (overflow, set()))
                members.add(account.id)
                self.crowds[overflow.id] = len(members)

    def _new_lane(self, lease_ms: int) -> OrderedDict[str, Reservation]:
        if len(self.open) >= self._most_lanes:
            for lease in [lease for lease, lane in self.open.items() if not lane]:
                del self.open[lease]
            self._most_lanes = max(MAX_LANES, 2 * len(self.open))
        lane = self.open[lease_ms] = OrderedDict()
        return lane

    # --- leases ------------------------------------------------------------------------------------------

    def ended_by(self, row: Reservation, now: int) -> Reservation:
        """The id's row, its lease ended if it has."""
        if not rules.is_due(row, now):
            return row
        self.write(rules.expire(row, self.balances, self.head))
        return self.rows[row.id]

    def sweep(self, now: int, most: int) -> None:
        """End the holds whose lease has ended, the oldest first, at most ``most``."""
        for lane in list(self.open.values()):
            while lane and most:
                row = next(iter(lane.values()))
                if not rules.is_due(row, now):
                    break
                self.write(rules.expire(row, self.balances, self.head))
                most -= 1
        ends = [next(iter(lane.values())).expires_ms for lane in self.open.values() if lane]
        self.next_expiry = min(ends, default=NEVER)

    # --- an operator sets the time back ------------------------------------------------------------------

    def open_rows(self) -> list[Reservation]:
        return [row for lane in self.open.values() for row in lane.values()]

    def set_back(self, to_ms: int, moved: list[Reservation]) -> None:
        """Nothing that is remembered of a time to come stands in the way of new ids and periods."""
        self.open.clear()
        self.next_expiry = NEVER
        for row in moved:
            self.put((row, ()))
        self.head.forgotten_before = min(self.head.forgotten_before, first_of(to_ms))
        for line, period in list(self.lines.items()):
            if line.startswith(FLOORS) and period.end_ms is not None and period.end_ms > to_ms:
                self.lines[line] = Period(0, to_ms)

    # --- what need not be remembered one by one ----------------------------------------------------------

    def forget(self) -> int:
        """Fold a batch of what ended too long ago into sums. How many ids it forgot."""
        ended = self.ended
        spare = len(ended) - self._max_ended
        most = spare + self._batch if spare > 0 else 0
        rows = list(islice(ended, most)) or list(takewhile(self._is_old, islice(ended, self._batch)))
        # Of a row that moved on since, the newer copy comes later.
        # One that is ahead of the ledger's time stays: the mark may not pass the time, or new ids would be below it.
        now = self.head.now_ms
        gone = [row for row in rows if self.rows.get(row.request.id) is row and not is_ahead(row.request.id, now)]
        if rows:
            self.do(partial(self._fold, rows, self.folds.with_rows(gone), now))
        self.forget_at = len(ended) + self._batch
        return len(gone)

    def _is_old(self, row: Reservation) -> bool:
        return row.ended_ms + max(DAY_MS, 10 * row.lease_ms) < self.head.now_ms

    def _fold(self, rows: list[Reservation], updates: list[Update], now: int) -> None:
        self.folds.put(updates)
        remembered, ended = self.rows, self.ended
        # The mark first: an id without a row that is not below it would be new.
        gone = [
            row.request.id
            for row in rows
            if remembered.get(row.request.id) is row and not is_ahead(row.request.id, now)
        ]
        self.head.forgotten_before = max([self.head.forgotten_before, *gone])
        for id in gone:
            del remembered[id]
        for row in rows:
            if ended and ended[0] is row:
                ended.popleft()
                if remembered.get(row.request.id) is row:
                    ended.append(row)

    def drop_accounts(self) -> int:
        """Drop the accounts whose period is over and to which no remembered reservation points. How many."""
        used = {hold.account.id for row in self.rows.values() for hold in row.holds}
        ending = [balance.account for balance in self.balances.values() if balance.account.period.end_ms is not None]
        over = [account for account in ending if not self._goes_on(account) and account.id not in used]
        self._ending = len(ending) - len(over)
        # The next look waits for as many more, so that looking costs each new account the same.
        self._most_ending = self._ending + MAX_OVER_ACCOUNTS
        self.do(partial(self._drop, over))
        return len(over)

    def _goes_on(self, account: Account) -> bool:
        end = account.period.end_ms
        return end is None or end > self.head.now_ms

    def _drop(self, accounts: list[Account]) -> None:
        for account in accounts:
            self._drop_line(account)
            self.balances.pop(account.id, None)
        self.folds.keep(self.balances)
        for id in [id for id, (overflow, _) in self._members.items() if not self._goes_on(overflow)]:
            self.crowds.pop(id, None)
            self._members.pop(id, None)

    def _drop_line(self, account: Account) -> None:
        """Forget the account's line, but not the time that it had: no later period may reach back into it."""
        period = self.lines.get(account.line)
        if period is None or period != account.period or period.end_ms is None:
            return
        floor = floor_of(account.window)
        known = self.lines.get(floor)
        if known is None or (known.end_ms or 0) < period.end_ms:
            self.lines[floor] = Period(0, period.end_ms)
        self.lines.pop(account.line, None)
