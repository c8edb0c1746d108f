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
from typing import Final

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


LEVELS: Final[Mapping[EventKind, int]] = {
    EventKind.ADMITTED: logging.DEBUG,
    EventKind.BLOCKED: logging.INFO,
    EventKind.WOULD_BLOCK: logging.WARNING,
    EventKind.SETTLED: logging.DEBUG,
    EventKind.RELEASED: logging.DEBUG,
    EventKind.PRESUMED: logging.WARNING,
    EventKind.WARNED: logging.WARNING,
    EventKind.BOUND_BROKEN: logging.ERROR,
    EventKind.SETTLE_FAILED: logging.ERROR,
    EventKind.FORGOTTEN: logging.ERROR,
}


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
    return listener is not None or LOGGER.isEnabledFor(LEVELS[kind])


def tell(event: Event, listener: Listener | None) -> None:
    """Count, log and hand on one event. Never raises: what a listener raises is logged."""
    with _counting:
        _COUNTS[event.kind] += 1
    extra = {f"airlock_{name}": value for name, value in event.fields.items()}
    extra |= {"airlock_event": event.kind.value, "airlock_tool": event.tool, "airlock_call_id": event.call_id}
    log(LEVELS[event.kind], "%s: %s", event.kind.value, event.tool, extra=extra)
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
