"""A clock that a test moves, in either direction, and how long its machine has been up."""

from __future__ import annotations

from typing import Final

DAY_MS: Final = 86_400_000
START_MS: Final = 20_000 * DAY_MS


class Clock:
    """Nanoseconds since 1970, as a ledger wants them. It starts on a day's first millisecond.

    ``boot`` goes on as the clock does, and never back: time passes. ``leap`` alone moves the clock by itself.
    """

    def __init__(self, ms: int = START_MS) -> None:
        self._ms = ms
        self._up_ms = 1_000

    @property
    def ms(self) -> int:
        return self._ms

    @ms.setter
    def ms(self, ms: int) -> None:
        self._up_ms += max(0, ms - self._ms)
        self._ms = ms

    def __call__(self) -> int:
        return self._ms * 1_000_000

    def boot(self) -> int:
        return self._up_ms * 1_000_000

    def tick(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)

    def leap(self, seconds: float) -> None:
        """The clock is set, and no time passes."""
        self._ms += round(seconds * 1000)
