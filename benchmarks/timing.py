"""Timing two things against each other in one run, so that a slow or busy machine slows both."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured ratio beside its aim. ``ours`` and ``base`` are microseconds of CPU time for one operation."""

    name: str
    ours: float
    base: float
    ratio: float
    aim: float

    def row(self) -> str:
        verdict = "ok" if self.ratio <= self.aim else "OVER"
        return f"{self.name:<66} {self.ours:>10.2f} {self.base:>10.2f} {self.ratio:>8.2f} {self.aim:>6.1f}  {verdict}"


HEADER = f"{'':<66} {'ours µs':>10} {'base µs':>10} {'ratio':>8} {'aim':>6}"


def once(function: Callable[[], object], times: int) -> float:
    """CPU microseconds of one call, over ``times`` calls."""
    start = time.process_time()
    for _ in range(times):
        function()
    return (time.process_time() - start) / times * 1e6


def compare(
    name: str,
    ours: Callable[[], object],
    base: Callable[[], object],
    aim: float,
    *,
    times: int = 5_000,
    base_times: int | None = None,
    rounds: int = 15,
) -> Figure:
    """The median, over interleaved rounds, of ours ÷ base."""
    many = base_times or times
    once(ours, times // 5)
    once(base, many // 5)
    gc.collect()
    pairs = [(once(ours, times), once(base, many)) for _ in range(rounds)]
    return Figure(
        name,
        statistics.median(mine for mine, _ in pairs),
        statistics.median(theirs for _, theirs in pairs),
        statistics.median(mine / theirs for mine, theirs in pairs),
        aim,
    )
