"""What a ledger keeps of one id, and what a command reads and writes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..money import MAX_AMOUNT
from ..values import message, shown
from .accounts import Amounts, Balance, Hold, Labels, Period
from .commands import Charge, Release, Reserve, Settle, Settling, State

Request = Reserve | Settle | Charge | Release


@message
class Reservation:
    """One id's row. ``request`` is the message that made it."""

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
"""The balances that the ledger read, by account id. An account not seen yet is not in it."""

Lines = Mapping[str, Period]
"""The latest period that was granted to each line; under ``floor_of(window)``, all time that was pruned there."""

_NO_LABELS: Final = Labels("")

# An attribute of an Enum class costs 70 ns before Python 3.12; these stand in every verb's way.
HELD: Final = State.HELD
PRESUMED: Final = State.PRESUMED
SETTLED: Final = State.SETTLED
RELEASED: Final = State.RELEASED
UNKNOWN: Final = State.UNKNOWN
FORGOTTEN: Final = State.FORGOTTEN


def floor_of(window: str) -> str:
    """The name under which ``Lines`` has the time of the lines of ``window`` that were pruned."""
    return f"*/{window}"


def whole_amount(amount: int) -> int:
    """What is booked for an actual amount: it saturates, and no whole number of at least 0 is a caller's mistake."""
    if type(amount) is not int or amount < 0:
        raise no_amount(amount)
    return min(amount, MAX_AMOUNT)


def no_amount(amount: object) -> ValueError:
    return ValueError(f"an amount must be a whole number of at least 0, not {shown(amount)}")
