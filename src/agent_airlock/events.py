"""What the gate tells: one structured event for each thing that happens to a call.

An event is logged on the logger ``agent_airlock`` with its fields as ``extra`` (``airlock_event``, ``airlock_tool``,
…) and handed to ``AirlockConfig(on_event=…)``. No argument, prompt or result is ever in one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

LOGGER: Final = logging.getLogger("agent_airlock")


class EventKind(StrEnum):
    """What happened."""

    ADMITTED = "admitted"
    BLOCKED = "blocked"
    WOULD_BLOCK = "would_block"
    SETTLED = "settled"
    RELEASED = "released"
    PRESUMED = "presumed"
    WARNED = "warned"
    BOUND_BROKEN = "bound_broken"
    SETTLE_FAILED = "settle_failed"
    FORGOTTEN = "forgotten"

    __hash__ = str.__hash__


class Kind(NamedTuple):
    """What an event of one kind means, and what it carries: field → what it is."""

    level: int
    when: str
    fields: Mapping[str, str]


_NANO: Final = "whole nanodollars; None where the cost is not known"
_BOOK: Final = "`gate` or `tracker`"
_UNIT: Final = "in the unit of its account: nanodollars, tokens or calls"
_SCOPE: Final = "the budget's scope, or the rate limit's pattern"

SCHEMA: Final[Mapping[EventKind, Kind]] = {
    EventKind.ADMITTED: Kind(
        logging.DEBUG,
        "a call may run, and its money is held",
        {"tier": "the tier's label, or None", "model": "the model's id, or None", "estimate_nano": _NANO},
    ),
    EventKind.BLOCKED: Kind(logging.INFO, "a call may not run", {"reason": "a `BlockReason`"}),
    EventKind.WOULD_BLOCK: Kind(
        logging.WARNING,
        'something with `mode="observe"` would have blocked the call',
        {
            "check": "`arguments`, `access`, `capabilities`, `paths`, `endpoints`, `tier`, `budgets` or `ledger`",
            "reason": "a `BlockReason`",
            "scope": f"{_SCOPE}; else None",
            "account": "the account's id; None where no budget or rate would have blocked",
            "limit": f"the limit, {_UNIT}; else None",
        },
    ),
    EventKind.SETTLED: Kind(
        logging.DEBUG, "a call has ended, and its cost is booked", {"actual_nano": _NANO, "estimate_nano": _NANO}
    ),
    EventKind.RELEASED: Kind(logging.DEBUG, "a call has ended, and nothing was spent", {}),
    EventKind.PRESUMED: Kind(
        logging.WARNING, "a call ended after its lease: it was presumed spent, and is now settled", {"book": _BOOK}
    ),
    EventKind.WARNED: Kind(
        logging.WARNING,
        "spend has passed a warning mark (once a period)",
        {
            "scope": f"{_SCOPE}; not there for the tracker's session cap",
            "account": "the account's id",
            "spent": f"settled and presumed, {_UNIT}",
            "mark": _UNIT,
        },
    ),
    EventKind.BOUND_BROKEN: Kind(
        logging.ERROR,
        "a call cost more than its worst case; all of it is booked",
        {"estimate_nano": _NANO, "actual_nano": _NANO},
    ),
    EventKind.SETTLE_FAILED: Kind(
        logging.ERROR,
        "the ledger did not book the end of a call; its lease presumes the hold",
        {"verb": "`settle`, `release`, `charge` or `read`", "error": "the name of the exception"},
    ),
    EventKind.FORGOTTEN: Kind(
        logging.ERROR, "the ledger had forgotten the id; the cost is booked under a new one", {"book": _BOOK}
    ),
}
"""Every kind of event: the one schema of ``Event.fields`` and of the log's ``extra``."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event. ``fields`` are numbers and labels: amounts are whole nanodollars, tokens or calls."""

    kind: EventKind
    tool: str
    call_id: str | None = None
    fields: Mapping[str, object] = field(default_factory=dict[str, object])


Listener = Callable[[Event], object]

_COUNTS: Final[Counter[EventKind]] = Counter()
_counting = threading.RLock()  # a finaliser may tell while its thread counts


def counts() -> dict[EventKind, int]:
    """How often each kind was told in this process: what a dashboard watches (``bound_broken`` above all).

    ``admitted`` and ``settled`` are told, and so counted, only where somebody listens.
    """
    with _counting:
        return dict(_COUNTS)


def heard(kind: EventKind, listener: Listener | None) -> bool:
    """Whether anybody would see such an event; the frequent ones are made only then."""
    return listener is not None or LOGGER.isEnabledFor(SCHEMA[kind].level)


def tell(event: Event, listener: Listener | None) -> None:
    """Count, log and hand on one event. Never raises: what a listener raises is logged."""
    with _counting:
        _COUNTS[event.kind] += 1
    extra = {f"airlock_{name}": value for name, value in event.fields.items()}
    extra |= {"airlock_event": event.kind.value, "airlock_tool": event.tool, "airlock_call_id": event.call_id}
    log(SCHEMA[event.kind].level, "%s: %s", event.kind.value, event.tool, extra=extra)
    if listener is not None:
        call_listener(listener, event)


def call_listener(listener: Callable[..., object], *args: object) -> None:
    """Call a user's callback; what it raises is logged, and changes nothing."""
    try:
        listener(*args)
    except Exception as error:
        log(logging.ERROR, "a callback of agent_airlock raised", error=error)


def log(
    level: int,
    message: str,
    *args: object,
    extra: Mapping[str, object] | None = None,
    error: BaseException | None = None,
) -> None:
    """Log a line. A handler that raises neither blocks a call nor loses its result: what it raises is dropped."""
    with contextlib.suppress(Exception):
        LOGGER.log(level, message, *args, extra=extra, exc_info=error)


def _renew() -> None:
    """In a forked child: whoever held the lock is not there."""
    global _counting  # noqa: PLW0603
    _counting = threading.RLock()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_renew)
