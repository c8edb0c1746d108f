"""Windows of time, and the period of each that holds a given now.

Seconds, minutes and hours are the same everywhere. Days and months begin where the clocks of a zone say so.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Final

from .checks.hours import zone_of
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


def window_in(window: str, zone: str) -> str:
    """The window as an account spells it: days and months of another zone than UTC name it, ``day@Europe/Berlin``."""
    return f"{window}@{zone}" if zone != "UTC" and window in _NEXT else window


def period_of(window: str, now_ms: int, zone: str = "UTC") -> Period:
    """The period ``[start, end)`` of ``window`` that holds ``now_ms`` (milliseconds since 1970, UTC).

    A day or month of a zone begins when its clocks first show that date or a later one: at the first of two midnights,
    and, where there is no midnight or no such day, at what comes after. So each moment is in one period, and a day is
    longer or shorter as its zone has it.

    Raises:
        ValueError: no zone is known by that name.
    """
    following = _NEXT.get(window)
    if following is not None and zone != "UTC":
        return _local(following, now_ms, zone_of(zone, "Budget.zone"))
    length = _MS.get(window)
    if length is not None:
        start = now_ms - now_ms % length
        return Period(start, start + length)
    if window == "month":
        first = _utc(now_ms // 1_000).date().replace(day=1)
        return Period(_first_instant(first, UTC) * 1_000, _first_instant(_next_month(first), UTC) * 1_000)
    return TOTAL


def _next_day(day: date) -> date:
    return day + timedelta(days=1)


def _next_month(day: date) -> date:
    return date(day.year + 1, 1, 1) if day.month == 12 else date(day.year, day.month + 1, 1)


_NEXT: Final[dict[str, Callable[[date], date]]] = {"day": _next_day, "month": _next_month}
"""From a date to the first date of the next period."""


def _local(following: Callable[[date], date], now_ms: int, zone: tzinfo) -> Period:
    today = _utc(now_ms // 1_000).astimezone(zone).date()
    first = today.replace(day=1) if following is _next_month else today
    end = _first_instant(following(first), zone) * 1_000
    while end <= now_ms:  # clocks that were set back past midnight show a date whose successor has begun
        first = following(first)
        end = _first_instant(following(first), zone) * 1_000
    return Period(_first_instant(first, zone) * 1_000, end)


def _first_instant(day: date, zone: tzinfo) -> int:
    """The first second since 1970 at which the zone's clocks show ``day`` or later."""
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001  (what the clocks show)
    # Of two midnights the first; where there is none, as many seconds after the gap as it would lie within.
    instant = int(midnight.replace(tzinfo=zone).timestamp())
    beyond = (_shown(instant, zone) - midnight) // timedelta(seconds=1)
    low, high = instant - beyond, instant
    while low < high:
        middle = (low + high) // 2
        if _shown(middle, zone) >= midnight:
            high = middle
        else:
            low = middle + 1
    return low


def _shown(instant: int, zone: tzinfo) -> datetime:
    return _utc(instant).astimezone(zone).replace(tzinfo=None)


def _utc(instant: int) -> datetime:
    return datetime.fromtimestamp(instant, UTC)
