"""One queue of what is to happen, and the one clock: nothing in a run waits for anything else."""

from __future__ import annotations

import random
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Final

from agent_airlock.ledger.clocks import LEAP_MS
from tests.ledger.clock import START_MS
from tests.simulation.laws import Law, Violation

Do = Callable[[], object]
MOST_STEPS: Final = 50_000


class Scheduler:
    """What happens, by a time that only rises. Of what falls on one millisecond the seed decides the order."""

    def __init__(self, rng: random.Random) -> None:
        self.now_ms = 0
        self._rng = rng
        self._queue: list[tuple[int, float, int, Do]] = []
        self._number = count()
        self._steps = 0

    def after(self, delay_ms: int, do: Do) -> None:
        heappush(self._queue, (self.now_ms + delay_ms, self._rng.random(), next(self._number), do))

    def run(self) -> None:
        """Until nothing is left to do."""
        queue = self._queue
        while queue:
            self.now_ms, _, _, do = heappop(queue)
            self._steps += 1
            if self._steps > MOST_STEPS:
                raise Violation(Law.ENDS, f"{MOST_STEPS} steps, and no end")
            do()


class Wall:
    """The clock on the wall of the ledger's machine: nanoseconds since 1970. It may be set, in either direction."""

    def __init__(self, scheduler: Scheduler, start_ms: int) -> None:
        self._scheduler = scheduler
        self.offset_ms = START_MS + start_ms
        self._stepped_ms = 0

    @property
    def may_be_called_ahead(self) -> bool:
        """Whether it was ever set by more than a clock is put right at once."""
        return self._stepped_ms > LEAP_MS

    @property
    def mono_ms(self) -> int:
        """Time that passes, whatever anybody sets."""
        return self._scheduler.now_ms

    @property
    def ms(self) -> int:
        return self._scheduler.now_ms + self.offset_ms

    def __call__(self) -> int:
        return self.ms * 1_000_000

    def boot(self) -> int:
        """How long the machine has been up, in nanoseconds: nobody sets that."""
        return self._scheduler.now_ms * 1_000_000

    def step(self, by_ms: int) -> None:
        """Somebody sets it."""
        self.offset_ms += by_ms
        self._stepped_ms += max(0, by_ms)
