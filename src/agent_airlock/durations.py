"""Lengths of time, as users write them."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Final

MAX_LEASE_MS: Final = 7 * 86_400_000
_UNITS: Final = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}

Duration = str | int | float | Decimal | timedelta


def parse_duration(value: Duration, what: str) -> int:
    """``"10 min"``, ``"30 s"``, a number of seconds or a ``timedelta``, as whole milliseconds.

    Raises:
        ValueError: anything else, nothing, or more than 7 days.
    """
    milliseconds = -1.0
    if isinstance(value, timedelta):
        milliseconds = value.total_seconds() * 1_000
    elif isinstance(value, str):
        match = re.fullmatch(r"\s*(\d{1,9})\s*(ms|s|min|h|d)\s*", value)
        milliseconds = int(match[1]) * _UNITS[match[2]] if match else -1
    elif not isinstance(value, bool) and isinstance(value, (int, float, Decimal)):
        with suppress(ArithmeticError):  # a Decimal that is beyond all bounds
            milliseconds = float(value * 1_000)
    if not 1 <= milliseconds <= MAX_LEASE_MS:
        raise ValueError(f"{what} must be like '10 min', '30 s' or seconds, from 1 ms to 7 days, not {value!r}")
    return int(milliseconds)
