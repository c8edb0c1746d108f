"""Windows of time, and the period of each that holds a given now. All in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from .ledger.accounts import TOTAL, Period


class Window(StrEnum):
    """How long a budget counts before it begins anew."""

    CALL = "call"
    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    TOTAL = "total"


_MS: Final = {"second": 1_000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000}


def period_of(window: str, now_ms: int) -> Period:
    """The period ``[start, end)`` of ``window`` that holds ``now_ms`` (milliseconds since 1970, UTC)."""
    length = _MS.get(window)
    if length is not None:
        start = now_ms - now_ms % length
        return Period(start, start + length)
    if window == "month":
        now = datetime.fromtimestamp(now_ms // 1_000, UTC)
        following = (now.year + 1, 1) if now.month == 12 else (now.year, now.month + 1)
        return Period(_first_of(now.year, now.month), _first_of(*following))
    return TOTAL


def _first_of(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * 1_000
