"""What is no longer kept one by one: ended reservations become sums of their month, accounts of the past are dropped.

A few rows in each transaction, so that none takes long. No balance depends on what is folded: the same transaction
adds it to the opening balances of its accounts.
"""

from __future__ import annotations

import time
from typing import Final

from ...money import MAX_AMOUNT
from ...values import message
from ..accounts import Account, Period
from ..commands import Command
from ..ids import is_ahead
from ..rows import PRESUMED, Reservation, floor_of
from . import rows as kept
from .accounts import Accounts
from .statements import Values
from .work import Work

RETAIN_DAYS: Final = 90.0
DAY_MS: Final = 86_400_000
STEP: Final = 64
"""Reservations, and accounts, that one transaction lets go, at most."""
MAX_LABELS: Final = 10_000
"""Different labels of a line's sums in a month, at most; those beyond share one."""
_LOOK_MS: Final = 60_000
"""How often a ledger looks whether there is something to let go."""
_OVERFLOW: Final = kept.labels_text("+", None, None)

_OLDEST: Final = f"""
    SELECT r.key, r.ended, {kept.RESERVATION} FROM reservations r WHERE r.ended IS NOT NULL ORDER BY r.ended LIMIT ?
"""  # noqa: S608
_ADD_OPENING: Final = f"""
    UPDATE accounts SET holds = holds - 1, opening_settled = min({MAX_AMOUNT}, opening_settled + ?),
    opening_presumed = min({MAX_AMOUNT}, opening_presumed + ?) WHERE key = ?
"""  # noqa: S608
_ADD_MONTH: Final = f"""
    INSERT INTO months VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET amount = min({MAX_AMOUNT}, amount + excluded.amount)
"""  # noqa: S608
_OVER: Final = """
    SELECT key, id, scope, window, unit, start_ms, end_ms, crowd FROM accounts
    WHERE end_ms IS NOT NULL AND holds = 0 AND end_ms <= ? ORDER BY end_ms LIMIT ?
"""


@message
class LetGo(Command[bool]):
    """Let a step go, whether it is time for one or not. Whether there was something."""


class Folder:
    """Lets go of what need not be kept.

    Args:
        retain_ms: how long an ended reservation is kept, and an account whose period is over; at least a day, and a
            reservation at least ten of its leases, as rule 3 says.
        max_ended: how many ended reservations are kept, at most.
    """

    def __init__(self, retain_ms: int, max_ended: int | None) -> None:
        self._retain_ms = max(retain_ms, DAY_MS)
        self._max_ended = max_ended
        self._next_look_ms = 0
        # How many reservations and accounts it has let go.
        self.ids = 0
        self.accounts = 0

    def fold(self, work: Work) -> None:
        """A step, if it is time for one."""
        if work.head.now_ms >= self._next_look_ms or self._spare(work):
            self.let_go(work)

    def _spare(self, work: Work) -> int:
        return 0 if self._max_ended is None else max(0, work.ended_rows - self._max_ended)

    def let_go(self, work: Work) -> bool:
        """A step. Whether there was something to let go."""
        now = work.head.now_ms
        spare = self._spare(work)
        gone = 0
        self._next_look_ms = now + _LOOK_MS
        for row, key in work.rows(_OLDEST, (STEP,)):
            kept_until_ms = row.ended_ms + max(self._retain_ms, 10 * row.lease_ms)
            if kept_until_ms >= now and gone >= spare:
                break
            if is_ahead(row.id, now):
                continue  # the mark may not pass the time, or new ids would be below it
            _fold(work, row, key)
            gone += 1
        accounts = _drop_accounts(work, now - self._retain_ms)
        if STEP in (gone, accounts):
            self._next_look_ms = now
        self.ids += gone
        self.accounts += accounts
        return gone > 0 or accounts > 0


def _fold(work: Work, row: Reservation, key: int) -> None:
    work.changing()
    run = work.statements.run
    month = _month(row.ended_ms)
    labels = kept.labels_text(row.labels.tool, row.labels.model, row.labels.tier)
    presumed = row.state is PRESUMED
    for hold, amount in zip(row.holds, row.booked, strict=True):
        account = hold.account
        opening = (0, amount) if presumed else (amount, 0)
        run(_ADD_OPENING, (*opening, work.accounts.key_of(account)))
        if amount:
            line = (account.scope, account.window, account.unit.value)
            run(_ADD_MONTH, (*line, month, _label(work, (*line, month), labels), amount))
    work.forget(row.id, key)


def _month(ms: int) -> str:
    return time.strftime("%Y-%m", time.gmtime(ms // 1_000))


def _label(work: Work, place: Values, labels: str) -> str:
    """The labels, or those of the overflow where the month has too many."""
    where = "scope = ? AND window = ? AND unit = ? AND month = ?"
    known = f"SELECT 1 FROM months WHERE {where} AND labels = ?"  # noqa: S608
    if work.statements.first(known, (*place, labels)) is not None:
        return labels
    (count,) = work.statements.only(f"SELECT count(*) FROM months WHERE {where}", place)  # noqa: S608
    return labels if count < MAX_LABELS else _OVERFLOW


# --- accounts whose period is over -----------------------------------------------------------------------


def _drop_accounts(work: Work, before_ms: int) -> int:
    """Drop accounts whose period was over by then and to which no reservation points. How many."""
    over = work.statements.all(_OVER, (before_ms, STEP))
    for key, *parts, crowd in over:
        work.changing()
        account = kept.account_of(*parts)
        _drop_line(work.accounts, account)
        work.accounts.drop(account, key)
        if crowd is not None:
            work.accounts.count_crowd(crowd, -1)
        _hand_on_months(work, account.scope, account.window, account.unit.value)
    return len(over)


def _drop_line(accounts: Accounts, account: Account) -> None:
    """Forget the account's line, but not the time that it had: no later period may reach back into it."""
    period = account.period
    if period.end_ms is None or accounts.line(account.line) != period:
        return
    floor = floor_of(account.window)
    known = accounts.line(floor)
    if known is None or (known.end_ms or 0) < period.end_ms:
        accounts.put_line(floor, Period(0, period.end_ms))
    accounts.drop_line(account.line)


def _hand_on_months(work: Work, scope: str, window: str, unit: str) -> None:
    """A line that has no account any more leaves its sums to its kind of scope: lines come and go without end."""
    kind, colon, _ = scope.partition(":")
    line = (scope, window, unit)
    where = "scope = ? AND window = ? AND unit = ?"
    statements = work.statements
    if not colon or statements.first(f"SELECT 1 FROM accounts WHERE {where} LIMIT 1", line):  # noqa: S608
        return
    sums = statements.all(f"SELECT month, labels, amount FROM months WHERE {where}", line)  # noqa: S608
    for month, labels, amount in sums:
        place = (f"{kind}:*", window, unit, month)
        statements.run(_ADD_MONTH, (*place, _label(work, place, labels), amount))
    statements.run(f"DELETE FROM months WHERE {where}", line)  # noqa: S608
