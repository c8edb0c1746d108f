"""A clock that a test moves."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Final

START: Final = datetime(2030, 1, 1, tzinfo=UTC)
"""A day's, a month's and a year's first moment."""


class Clock:
    """Nanoseconds since 1970, as ledgers ask for them: ``MemoryLedger(clock=Clock())``. Thread-safe.

    Args:
        at: when it starts; it must have a zone.

    Raises:
        ValueError: a time without a zone.
    """

    def __init__(self, at: datetime = START) -> None:
        self._lock = threading.Lock()
        self._ns = _nanoseconds(at)

    def __call__(self) -> int:
        return self._ns

    def tick(self, by: float | timedelta) -> None:
        """Move by a duration, or by seconds; backwards too, which a ledger's time does not follow."""
        delta = by if isinstance(by, timedelta) else timedelta(seconds=by)
        with self._lock:
            self._ns += delta // timedelta(microseconds=1) * 1_000

    def move_to(self, at: datetime) -> None:
        """Move to a moment.

        Raises:
            ValueError: it has no zone.
        """
        moment = _nanoseconds(at)
        with self._lock:
            self._ns = moment

    @property
    def now(self) -> datetime:
        """What it shows, in UTC."""
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=self._ns // 1_000)

    def __repr__(self) -> str:
        return f"<Clock at {self.now.isoformat()}>"


def _nanoseconds(at: datetime) -> int:
    if at.tzinfo is None:
        raise ValueError(f"a Clock needs a time with a zone, such as datetime(…, tzinfo=UTC), not {at!r}")
    return (at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1) * 1_000
