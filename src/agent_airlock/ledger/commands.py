"""The verbs of a ledger and their answers: one message, one answer, one round trip.

``Command[A]`` is a question whose answer is an ``A``. Only the answer :class:`Reserved` with state *held*
may run a call. What every answer means is in the table of ``rules.py``. What an operator asks is in ``operations.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

from ..values import message
from .accounts import Account, Amounts, Balance, Hold, Labels, Refusal

A = TypeVar("A")


class State(StrEnum):
    """Where a reservation stands."""

    UNKNOWN = "unknown"
    HELD = "held"
    PRESUMED = "presumed"
    LAPSED = "lapsed"
    RESOLVED = "resolved"
    SETTLED = "settled"
    RELEASED = "released"
    CLOSED = "closed"
    FORGOTTEN = "forgotten"

    __hash__ = str.__hash__  # Enum's own is a Python function, on every look-up


class Command(Generic[A]):
    """A message to a ledger. ``A`` is the type of its answer."""

    __slots__ = ()
    must_finish: ClassVar[bool] = False
    """Completed, within a bounded time, even when the task that sent it is cancelled."""


# --- answers ---------------------------------------------------------------------------------------------


@message
class Stamp:
    """Where an answer stands in the history of the ledger that gave it.

    ``seq`` rises by one with each change of a row, of an account or by an operator; an answer that wrote nothing
    carries that of the state that it saw. ``epoch`` rises where a history was cut on purpose: ``seq`` starts anew.
    ``now_ms`` is the ledger's time, in milliseconds since 1970.
    """

    ledger: str
    epoch: int
    seq: int
    now_ms: int


@message
class Reserved:
    """The id is known, and stands so. ``state`` *held* alone may run a call.

    ``after`` are the balances of its accounts with the hold in them, in the order of its holds.
    """

    state: State
    stamp: Stamp
    after: tuple[Balance, ...] = ()


@message
class Refused:
    """Nothing was written: this account has no room."""

    refusal: Refusal
    stamp: Stamp


@message
class WrongPeriod:
    """Nothing was written: a period does not hold the ledger's now. Ask again with the periods of ``stamp.now_ms``."""

    account: Account
    stamp: Stamp


@message
class PeriodOverlap:
    """Nothing was written: the account's line already has another period that overlaps this one."""

    account: Account
    stamp: Stamp


@message
class Frozen:
    """Nothing was written: the account takes no new hold.

    An operator froze its line (*override*), it was *closed*, or it counted more than an account can (*saturated*).
    """

    account: Account
    cause: Literal["override", "closed", "saturated"]
    stamp: Stamp


@message
class InUse:
    """Nothing was written: another caller has this id."""

    stamp: Stamp


OnExpiry = Literal["presume", "release"]
ConflictField = Literal["accounts", "amounts", "limits", "lease", "actual"]


@message
class Conflict:
    """Nothing was written: the id has other content. ``field`` is the first that differs."""

    field: ConflictField
    stamp: Stamp


@message
class Forgotten:
    """Nothing was written: the id is older than what the ledger remembers."""

    stamp: Stamp


Settling = Literal["settled", "late", "forced", "charged"]


@message
class Settled:
    """The real cost is booked. ``before`` and ``after`` are the balances of its accounts."""

    how: Settling
    repeated: bool
    before: tuple[Balance, ...]
    after: tuple[Balance, ...]
    stamp: Stamp


@message
class Released:
    """``effect``: this release gave something back, or closed an id. ``state`` is where the id stands now."""

    state: State
    effect: bool
    stamp: Stamp


ReserveAnswer = Reserved | Refused | WrongPeriod | PeriodOverlap | Frozen | InUse | Conflict | Forgotten
SettleAnswer = Settled | Conflict | Forgotten
ReleaseAnswer = Released | Forgotten


@message
class Entry:
    """What became of one reservation. ``booked`` is by account, in the order of ``accounts``."""

    id: str
    state: State
    how: Settling | None
    at_ms: int
    accounts: tuple[Account, ...]
    booked: tuple[int, ...]
    amounts: Amounts
    labels: Labels


FoldKey = tuple[str, str | None, str | None]
"""Tool, model, tier."""


@message
class EntriesPage:
    """Entries, oldest first, and the sums of those that are no longer kept. ``older`` asks for the page before."""

    entries: tuple[Entry, ...]
    folded: Mapping[FoldKey, Amounts]
    stamp: Stamp
    older: str | None = None


@message
class BalancesPage:
    """Balances: those of every account that was asked for. It is iterated as a tuple is."""

    balances: tuple[Balance, ...]
    stamp: Stamp

    def __iter__(self) -> Iterator[Balance]:
        return iter(self.balances)

    def __len__(self) -> int:
        return len(self.balances)


@message
class CheckReport:
    """``problems`` names every place where the totals are not the sum of the rows. Empty is good."""

    accounts: int
    reservations: int
    problems: tuple[str, ...]
    stamp: Stamp


# --- verbs -----------------------------------------------------------------------------------------------


@message
class Reserve(Command[ReserveAnswer]):
    """Hold money on every account, or on none.

    ``lease_ms`` is a duration. When it ends the holds are *presumed* spent; with ``on_expiry="release"`` they are given
    back (*lapsed*), which is right only where the call cannot outlast its lease. How a lease ends is a part of it: the
    same id with another ``on_expiry`` is a :class:`Conflict` over the lease.
    """

    id: str
    nonce: str
    holds: tuple[Hold, ...]
    lease_ms: int
    labels: Labels
    on_expiry: OnExpiry = "presume"


@message
class Settle(Command[SettleAnswer]):
    """Replace the holds by the real cost, by unit. A unit that ``actual`` lacks is booked at its hold.

    It carries its holds, so that real money is booked even where the id is not known.
    """

    must_finish: ClassVar[bool] = True
    id: str
    holds: tuple[Hold, ...]
    actual: Amounts
    labels: Labels


@message
class Charge(Command[SettleAnswer]):
    """Book money that no hold was made for, whole. It never blocks; all of it is overrun where a limit stands."""

    must_finish: ClassVar[bool] = True
    id: str
    holds: tuple[Hold, ...]
    actual: Amounts
    labels: Labels


@message
class Release(Command[ReleaseAnswer]):
    """Give all of it back. An id never seen is closed, so that a reserve still under way holds nothing."""

    must_finish: ClassVar[bool] = True
    id: str
    nonce: str


@message
class Balances(Command[BalancesPage]):
    """The balances of all accounts, or of those whose scope is ``scope``."""

    scope: str | None = None


@message
class Entries(Command[EntriesPage]):
    """What became of ended reservations, newest last; of those that touch ``scope``; the newest ``limit`` of them.

    ``older`` is that of the page before: what the ledger made of it, and nothing that a caller writes.
    """

    scope: str | None = None
    limit: int = 1_000
    older: str | None = None


@message
class Check(Command[CheckReport]):
    """Prove that the totals are the sum of the rows."""


class Ledger(Protocol):
    """Where reservations and spend are kept. Thread-safe."""

    is_async: ClassVar[Literal[False]]

    def now_ms(self) -> int:
        """The ledger's time, as well as it is known here; milliseconds since 1970. No round trip."""
        ...

    def apply(self, command: Command[A], /) -> A:
        """One verb, one answer.

        Raises:
            LedgerUnavailable: there is no answer; whether the verb took effect is not known.
            ClockJump: a reserve, while the clock stands ahead of what can be; nothing was written.
        """
        ...


class AsyncLedger(Protocol):
    """The same, for ledgers that are reached through an event loop."""

    is_async: ClassVar[Literal[True]]

    def now_ms(self) -> int: ...

    async def apply(self, command: Command[A], /) -> A: ...


Book = Ledger | AsyncLedger
AnyCommand = Command[Any]
