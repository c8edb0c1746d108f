"""What a ledger counts: accounts, holds and balances. Values only, no logic of grants."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal

from ..values import message


class Unit(StrEnum):
    """What an account counts in: nanodollars, tokens, or calls."""

    USD = "usd"
    TOKENS = "tokens"
    CALLS = "calls"

    __hash__ = str.__hash__  # Enum's own is a Python function, on every look-up


Amounts = Mapping[Unit, int]
"""Whole nanodollars, tokens and calls, by unit."""


@message
class Period:
    """One instance of a window, ``[start_ms, end_ms)`` in milliseconds since 1970, UTC; no end for ``total``."""

    start_ms: int
    end_ms: int | None

    def contains(self, now_ms: int) -> bool:
        return self.start_ms <= now_ms and (self.end_ms is None or now_ms < self.end_ms)

    def overlaps(self, other: Period) -> bool:
        return (self.end_ms is None or other.start_ms < self.end_ms) and (
            other.end_ms is None or self.start_ms < other.end_ms
        )


TOTAL: Final = Period(0, None)


class Account:
    """One budget's counter: scope value × window × unit × period. It never holds the limit.

    ``line`` is the account without its period; ``id`` names it with its period. Both are stable text.
    """

    __slots__ = ("id", "line", "period", "scope", "unit", "window")

    def __init__(self, scope: str, window: str, unit: Unit, period: Period = TOTAL) -> None:
        self.scope = scope
        self.window = window
        self.unit = unit
        self.period = period
        self.line = f"{scope}/{window}/{unit.value}"
        self.id = self.line if period.end_ms is None else f"{self.line}/{period.start_ms}-{period.end_ms}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Account) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<Account {self.id}>"


@message
class Crowd:
    """The accounts that a wildcard opens in a period: at most ``most``. Calls beyond share ``overflow``.

    A reservation has one hold of a crowd, for a call has one value of the wildcard's scope.
    """

    overflow: Account
    most: int


@message
class Hold:
    """One account's part of a reservation. The limit travels with it; None: the account only counts.

    Where an account with a ``crowd`` would be one too many, the ledger makes the hold on the crowd's overflow instead.
    """

    account: Account
    amount: int
    limit: int | None
    crowd: Crowd | None = None


@message
class Overrun:
    """What was booked on an account that no grant had allowed, by cause."""

    above_hold: int = 0
    late: int = 0
    forced: int = 0
    charged: int = 0

    @property
    def total(self) -> int:
        return self.above_hold + self.late + self.forced + self.charged


NO_OVERRUN: Final = Overrun()

Shut = Literal["saturated", "closed"]


@message
class Balance:
    """An account's counts. ``last_limit`` is the limit that its last grant carried."""

    account: Account
    settled: int = 0
    presumed: int = 0
    held: int = 0
    overruns: Overrun = NO_OVERRUN
    last_limit: int | None = None
    shut: Shut | None = None
    """Why it takes no new hold, for ever: it counted more than an account can, or it was closed."""
    granted: bool = False
    """Whether a hold was ever granted here: then its line has its period, and need not be looked at again."""
    limits_disagree: bool = False
    """Whether grants here carried different limits: two policies share the account, or one was changed."""

    @property
    def total(self) -> int:
        """What a new hold is added to: settled + presumed + held."""
        return self.settled + self.presumed + self.held

    @property
    def overrun(self) -> int:
        return self.overruns.total

    @property
    def frozen(self) -> bool:
        """Whether it takes no new hold. (An operator's freeze is of its line, and stands in the overrides.)"""
        return self.shut is not None


@message
class Labels:
    """What reports group by. Never an argument, a prompt or a result."""

    tool: str
    model: str | None = None
    tier: str | None = None
    agent: str | None = None
    session: str | None = None
    child: str | None = None


@message
class Refusal:
    """Which account said no, what stands there, and what would fit.

    ``cause`` is ``"spent"`` where settled and presumed money alone leaves too little, ``"held"`` where other
    calls' holds are in the way. ``limit`` is the one in force: the hold's, raised if an operator raised it.
    ``limits_disagree``: grants on this account carried another limit. ``resets_ms`` is the end of the account's
    period, None for ``total``.
    """

    account: Account
    limit: int
    settled: int
    presumed: int
    held: int
    asked: int
    cause: Literal["spent", "held"]
    limits_disagree: bool = False

    @property
    def fits(self) -> Amounts:
        """The most that would be granted now."""
        left = self.limit - self.settled - self.presumed - self.held
        return {self.account.unit: max(0, left)}

    @property
    def resets_ms(self) -> int | None:
        return self.account.period.end_ms
