"""A ledger's time: it never runs back, and what leaps ahead of what can be is not believed.

The wall clock says what time it is, and may be wrong or be set. The boot clock says only how long the machine has been
up, a laptop's sleep included, and cannot be set. Between two looks the wall clock can have gone on by as much as the
boot clock, and a little more where it was put right. What is more than that is a leap: a clock that was set, or set
wrong. To believe it would end every lease, and open the money of periods to come.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ..values import shown
from .operations import Clock
from .rows import Reservation

LEAP_MS: Final = 60_000
"""By how much the wall clock may be put right at once. A time server's corrections are seconds at most."""

NanoClock = Callable[[], int]
"""Nanoseconds."""


def boot_ns() -> int:
    """How long the machine has been up, its sleep included. (macOS and Windows count sleep in the monotonic clock.)"""
    return time.clock_gettime_ns(_BOOT_CLOCK) if _BOOT_CLOCK is not None else time.monotonic_ns()


_BOOT_CLOCK: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None) or getattr(time, "CLOCK_MONOTONIC", None)


class Explained:
    """How far the wall clock is believed. Where there is no boot clock, all the way.

    ``leap_ms`` is by how much the wall clock was ahead of what can be, when it was last looked at; 0 is good. Wall
    times up to ``believed_ms`` need no look.
    """

    __slots__ = ("_anchor_boot_ms", "_anchor_ms", "_boot", "believed_ms", "leap_ms")

    def __init__(self, boot: NanoClock | None, now_ms: int) -> None:
        self._boot = boot
        self.anchor(now_ms)

    def anchor(self, now_ms: int) -> None:
        """From now on this is the time, and whatever the boot clock adds to it."""
        self._anchor_ms = now_ms
        self._anchor_boot_ms = 0 if self._boot is None else self._boot() // 1_000_000
        self.believed_ms: float = float("inf") if self._boot is None else now_ms + LEAP_MS
        self.leap_ms = 0

    def can_be(self) -> int:
        """The time by the boot clock."""
        passed = 0 if self._boot is None else self._boot() // 1_000_000 - self._anchor_boot_ms
        return self._anchor_ms + max(0, passed)

    def now(self, wall_ms: int) -> int:
        """The wall clock's time if that can be, else the boot clock's. Nothing is changed."""
        if wall_ms <= self.believed_ms:
            return wall_ms
        can_be = self.can_be()
        return wall_ms if wall_ms <= can_be + LEAP_MS else can_be

    def look(self, wall_ms: int) -> int:
        """The same, and ``leap_ms`` tells which."""
        now = self.now(wall_ms)
        if now < wall_ms:
            self.leap_ms = wall_ms - now
        elif wall_ms > self._anchor_ms:
            self.anchor(wall_ms)
        else:
            self.leap_ms = 0
        return now


def time_to_set(command: Clock, wall_ms: int, now_ms: int) -> int:
    """The ledger's time when the operator's word is taken: the wall clock's, or the one that was said.

    Raises:
        ValueError: another verb than ``accept`` and ``set``, or a time that is none.
    """
    if command.how == "accept":
        return max(now_ms, wall_ms)
    if command.how != "set":
        raise ValueError(f'Clock.how must be "show", "accept" or "set", not {shown(command.how)}')
    if type(command.to_ms) is not int or command.to_ms < 0:
        raise ValueError(f"Clock.to_ms must be whole milliseconds since 1970, not {shown(command.to_ms)}")
    return command.to_ms


def set_back(row: Reservation, was_ms: int, to_ms: int) -> Reservation:
    """An open row when the time is set back: what is left of its lease, which is a duration, is left still."""
    return replace(row, expires_ms=row.expires_ms - was_ms + to_ms)
