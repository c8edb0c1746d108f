"""A clock that a test moves, in either direction. It starts on a day's first millisecond."""

from __future__ import annotations

from typing import Final

DAY_MS: Final = 86_400_000
START_MS: Final = 20_000 * DAY_MS


class Clock:
    """Nanoseconds since 1970, as a ledger wants them."""

    def __init__(self, ms: int = START_MS) -> None:
        self.ms = ms

    def __call__(self) -> int:
        return self.ms * 1_000_000

    def tick(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)
