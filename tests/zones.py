"""The zones of the world, one name for each of their clocks, and when these are set forward or back."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

FIRST = int(datetime(2011, 1, 1, tzinfo=UTC).timestamp())
LAST = int(datetime(2037, 1, 1, tzinfo=UTC).timestamp())
"""In seconds since 1970: 2011 to 2036."""
_WEEK = 7 * 86_400


def shown(instant: int, zone: ZoneInfo) -> datetime:
    """What the zone's clocks show at ``instant`` (seconds since 1970)."""
    return datetime.fromtimestamp(instant, UTC).astimezone(zone).replace(tzinfo=None)


def _offset(instant: int, zone: ZoneInfo) -> timedelta:
    offset = datetime.fromtimestamp(instant, zone).utcoffset()
    assert offset is not None
    return offset


@cache
def clocks() -> dict[str, tuple[int, ...]]:
    """By name, the seconds at which the clocks are set. Of zones that always show the same, one is here."""
    found: dict[tuple[object, ...], tuple[str, tuple[int, ...]]] = {}
    for name in sorted(zoneinfo.available_timezones()):
        zone = ZoneInfo(name)
        changes = tuple(_changes(zone))
        key = (_offset(FIRST, zone), *[(change, _offset(change, zone)) for change in changes])
        found.setdefault(key, (name, changes))
    return dict(found.values())


def _changes(zone: ZoneInfo) -> Iterator[int]:
    before = _offset(FIRST, zone)
    for instant in range(FIRST, LAST, _WEEK):
        after = _offset(instant, zone)
        if after != before:
            low, high = instant - _WEEK, instant
            while low + 1 < high:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(middle, zone) == before else (low, middle)
            yield high
        before = after
