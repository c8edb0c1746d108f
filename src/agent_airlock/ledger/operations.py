"""What an operator asks of a ledger: to put a reservation right, to raise or freeze a limit, to see what is open.

Each verb that changes something by a person's word carries ``why`` and ``by``, and leaves an :class:`AuditEntry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from ..values import message
from .accounts import Account, Amounts, Balance, Hold, Labels, Unit
from .commands import Command, OnExpiry, Stamp, State

NOTHING: Final[Amounts] = MappingProxyType(dict.fromkeys(Unit, 0))
"""The actual amounts of a call that cost nothing: ``Resolve(id, NOTHING, why)`` is an operator's release."""


# --- reservations ----------------------------------------------------------------------------------------


@message
class Resolved:
    """``effect``: the operator's amount is booked now. ``state`` is where the id stands now.

    Without effect where the id is not known, and where its caller's word stands: settled, released, closed.
    """

    state: State
    effect: bool
    before: tuple[Balance, ...]
    after: tuple[Balance, ...]
    stamp: Stamp


@message
class Resolve(Command[Resolved]):
    """Book what a call that nobody settled really cost, by unit. A unit that ``actual`` lacks is booked at its hold.

    A settle that comes later takes its place: what the caller says supersedes the operator.
    """

    id: str
    actual: Amounts
    why: str
    by: str = ""


@message
class OpenEntry:
    """A reservation of which nobody has said what it cost. ``state`` is *held*, or *presumed* if its lease ended."""

    id: str
    state: State
    holds: tuple[Hold, ...]
    expires_ms: int
    on_expiry: OnExpiry
    labels: Labels


@message
class OpenPage:
    """The oldest ids first. ``newer`` is the last of them, None where no more follow."""

    entries: tuple[OpenEntry, ...]
    newer: str | None
    stamp: Stamp


@message
class Open(Command[OpenPage]):
    """What is held or presumed; of ids above ``newer``; of those that touch ``scope``; at most ``limit``."""

    scope: str | None = None
    limit: int = 1_000
    newer: str = ""


# --- limits ----------------------------------------------------------------------------------------------


@message
class Override:
    """What an operator put over the limits of a line (an account without its period).

    While the ledger's time is before ``until_ms`` (None: for ever) each limit there is higher by ``raised``. A frozen
    line takes no new hold, whatever it was raised by; open holds end as they do.
    """

    line: str
    raised: int = 0
    until_ms: int | None = None
    frozen: bool = False


Overrides = Mapping[str, Override]
"""By line."""


@message
class Overridden:
    """What stands over the line now."""

    override: Override
    stamp: Stamp


@message
class Raise(Command[Overridden]):
    """Set by how much the limits of a line are higher, until when. It replaces an earlier raise; 0 takes it back."""

    line: str
    amount: int
    until_ms: int | None
    why: str
    by: str = ""


@message
class Freeze(Command[Overridden]):
    """Let a line take no new hold; with ``frozen=False``, take them again."""

    line: str
    why: str
    by: str = ""
    frozen: bool = True


@message
class OverridesPage:
    overrides: tuple[Override, ...]
    stamp: Stamp


@message
class ListOverrides(Command[OverridesPage]):
    """What stands over limits."""


@message
class Closed:
    """The account takes no new hold, for ever; open ones end as they do. ``effect``: this command closed it."""

    balance: Balance
    effect: bool
    stamp: Stamp


@message
class Close(Command[Closed]):
    """End an account, such as a session's: it takes no new hold, and lets open ones end."""

    account: Account


# --- time ------------------------------------------------------------------------------------------------


@message
class ClockStands:
    """The ledger's time is ``stamp.now_ms``. ``leap_ms``: the wall clock is so far ahead of what can be; 0 is good."""

    wall_ms: int
    leap_ms: int
    stamp: Stamp


@message
class Clock(Command[ClockStands]):
    """Show the ledger's time; ``accept`` a leap of the wall clock; or ``set`` the time to ``to_ms``, back as well."""

    how: Literal["show", "accept", "set"] = "show"
    to_ms: int | None = None
    why: str = ""
    by: str = ""


# --- the record, and room --------------------------------------------------------------------------------


AuditVerb = Literal["resolve", "raise", "freeze", "thaw", "clock"]


@message
class AuditEntry:
    """What an operator did. ``seq`` is that of the answer; ``what`` says it in words, as ``by 5000 until 17…``."""

    seq: int
    at_ms: int
    verb: AuditVerb
    target: str
    what: str
    why: str
    by: str


@message
class AuditPage:
    """The newest, oldest first."""

    entries: tuple[AuditEntry, ...]
    stamp: Stamp


@message
class Audit(Command[AuditPage]):
    """What operators did; the newest ``limit``."""

    limit: int = 1_000


@message
class Compacted:
    """How many ended ids and how many accounts whose period is over are no longer kept. No balance moved."""

    ids: int
    accounts: int
    stamp: Stamp


@message
class Compact(Command[Compacted]):
    """Fold into sums what need not be remembered one by one."""
