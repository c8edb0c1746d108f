"""What a ledger keeps, and what a command reads and writes of it: the row of an id, balances, and the head."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from ..money import MAX_AMOUNT
from ..values import message, shown
from .accounts import Amounts, Balance, Hold, Labels, Period
from .commands import Charge, OnExpiry, Release, Reserve, Settle, Settling, Stamp, State
from .operations import Overrides

Request = Reserve | Settle | Charge | Release


@message
class Reservation:
    """One id's row. ``request`` is the message that made it; ``holds`` are its holds where the ledger made them."""

    request: Request
    state: State
    holds: tuple[Hold, ...]
    expires_ms: int
    how: Settling | None = None
    actual: Amounts | None = None
    ended_ms: int = 0

    @property
    def id(self) -> str:
        return self.request.id

    @property
    def nonce(self) -> str | None:
        """None where a settle or a charge made the row: real money has no owner."""
        request = self.request
        return request.nonce if isinstance(request, (Reserve, Release)) else None

    @property
    def labels(self) -> Labels:
        request = self.request
        return _NO_LABELS if isinstance(request, Release) else request.labels

    @property
    def lease_ms(self) -> int:
        request = self.request
        return request.lease_ms if isinstance(request, Reserve) else 0

    @property
    def on_expiry(self) -> OnExpiry:
        request = self.request
        return request.on_expiry if isinstance(request, Reserve) else "presume"

    @property
    def booked(self) -> tuple[int, ...]:
        """What stands for it on its accounts, in the order of its holds."""
        if self.state is HELD or self.state is PRESUMED:
            return tuple([hold.amount for hold in self.holds])
        actual = self.actual
        if actual is None:
            return (0,) * len(self.holds)
        # The rules looked at each amount before they wrote it; what passes 2⁵³ − 1 saturated.
        return tuple([min(actual.get(hold.account.unit, hold.amount), MAX_AMOUNT) for hold in self.holds])


Change = tuple[Reservation, tuple[Balance, ...]]
"""What a command writes: the reservation's new row, and the new balances in the order of its holds."""

Rows = Mapping[str, Balance]
"""The balances that the ledger read, by account id: those of its holds, and of their crowds' overflow accounts.
An account not seen yet is not in it."""

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})

Lines = Mapping[str, Period]
"""The latest period that was granted to each line; under ``floor_of(window)``, all time that was pruned there."""


class Head:
    """What a ledger knows beside its rows, as a command finds it. The rules read it, and write nothing to it.

    ``seq`` counts its changes (see :class:`Stamp`). An id that has no row and is not above ``forgotten_before`` is
    forgotten. ``overrides`` are by line, all or those that the command can meet. ``crowds`` has, by the id of its
    overflow account, how many accounts a crowd has opened.
    """

    __slots__ = ("crowds", "epoch", "forgotten_before", "ledger", "lines", "now_ms", "overrides", "seq")

    def __init__(
        self,
        ledger: str,
        epoch: int,
        *,
        seq: int = 0,
        now_ms: int = 0,
        forgotten_before: str = "",
        lines: Lines = _NOTHING,
        overrides: Overrides = _NOTHING,
        crowds: Mapping[str, int] = _NOTHING,
    ) -> None:
        self.ledger = ledger
        self.epoch = epoch
        self.seq = seq
        self.now_ms = now_ms
        self.forgotten_before = forgotten_before
        self.lines = lines
        self.overrides = overrides
        self.crowds = crowds

    def stamp(self) -> Stamp:
        """For an answer that wrote nothing."""
        return Stamp(self.ledger, self.epoch, self.seq, self.now_ms)

    def stamp_of_change(self) -> Stamp:
        """For the answer of the next change."""
        return Stamp(self.ledger, self.epoch, self.seq + 1, self.now_ms)


_NO_LABELS: Final = Labels("")

# An attribute of an Enum class costs 70 ns before Python 3.12; these stand in every verb's way.
HELD: Final = State.HELD
PRESUMED: Final = State.PRESUMED
LAPSED: Final = State.LAPSED
RESOLVED: Final = State.RESOLVED
SETTLED: Final = State.SETTLED
RELEASED: Final = State.RELEASED
UNKNOWN: Final = State.UNKNOWN
FORGOTTEN: Final = State.FORGOTTEN


FLOORS: Final = "*/"
"""What the names of floors begin with, and no line's."""


def floor_of(window: str) -> str:
    """The name under which ``Lines`` has the time of the lines of ``window`` that were pruned."""
    return FLOORS + window


def whole_amount(amount: int) -> int:
    """What is booked for an actual amount: it saturates, and no whole number of at least 0 is a caller's mistake."""
    if type(amount) is not int or amount < 0:
        raise no_amount(amount)
    return min(amount, MAX_AMOUNT)


def no_amount(amount: object) -> ValueError:
    return ValueError(f"an amount must be a whole number of at least 0, not {shown(amount)}")
