"""The hours of a day in which a tool may be called."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final

_WRITTEN: Final = re.compile(r"\s*(\d{2}):(\d{2})\s*-\s*(\d{2}):(\d{2})(?:\s+(\S+))?\s*")
_DAY: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """From ``start`` until just before ``end``, each day, by the clocks of ``zone``.

    Args:
        start, end: minutes since midnight. An ``end`` before ``start`` is the next day's: ``"22:00-06:00"``.
        zone: an IANA name such as ``"Europe/Berlin"``. On Windows, and wherever the system has no zones, the package
            ``tzdata`` brings them.

    Raises:
        ValueError: no such time or zone, or a window of no length.
    """

    start: int
    end: int
    zone: str = "UTC"

    def __post_init__(self) -> None:
        for name, last in (("start", _DAY - 1), ("end", _DAY)):
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value <= last:
                raise ValueError(f"TimeWindow.{name} must be whole minutes since midnight up to {last}, not {value!r}")
        if self.start == self.end:
            raise ValueError("TimeWindow.end must not be TimeWindow.start; all day is '00:00-24:00'")
        zone_of(self.zone, "TimeWindow.zone")

    @classmethod
    def parse(cls, text: str) -> TimeWindow:
        """``"09:00-17:00"`` or ``"09:00-17:00 Europe/Berlin"``.

        Raises:
            ValueError: anything else.
        """
        match = _WRITTEN.fullmatch(text) if isinstance(text, str) and len(text) <= 100 else None
        if match is None or int(match[2]) > 59 or int(match[4]) > 59:
            raise ValueError(f"a time window must be like '09:00-17:00' or '09:00-17:00 Europe/Berlin', not {text!r}")
        start, end = (60 * int(match[hours]) + int(match[hours + 1]) for hours in (1, 3))
        return cls(start, end, match[5] or "UTC")

    def holds(self, now_ms: int) -> bool:
        """Whether the window is open at ``now_ms`` (milliseconds since 1970)."""
        now = datetime.fromtimestamp(now_ms // 1_000, UTC).astimezone(zone_of(self.zone, "TimeWindow.zone"))
        minute = 60 * now.hour + now.minute
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end

    def __str__(self) -> str:
        hours = "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in (self.start, self.end))
        return hours if self.zone == "UTC" else f"{hours} {self.zone}"


@lru_cache(maxsize=256)
def zone_of(name: str, what: str) -> tzinfo:
    """The zone of an IANA name.

    Raises:
        ValueError: none is known by that name; ``what`` names the field.
    """
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        raise ValueError(
            f"{what} must be the IANA name of a time zone, such as 'Europe/Berlin', not {name!r}; if it is right, "
            "this system has no zones: pip install tzdata"
        ) from None
