"""Writes the sample of this version's format: ``python -m tests.ledger.sqlite.sample``.

Each format that was ever released has one in ``tests/data/ledgers``, and none is ever written again: a test opens them
all. What they hold is in ``HOLDS``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agent_airlock.ledger.accounts import Crowd, Hold, Labels, Period, Unit
from agent_airlock.ledger.operations import Close, Compact, Freeze, Raise, Resolve
from agent_airlock.ledger.sqlite import SqliteLedger, schema
from tests.ledger.clock import DAY_MS, START_MS, Clock
from tests.ledger.words import account, charge, hold, release, reserve, settle

FOLDER: Final = Path(__file__).parents[2] / "data" / "ledgers"
DAY: Final = 86_400
LATER_MS: Final = START_MS + 100 * DAY_MS

HOLDS: Final = {
    "agent:a/total/usd": (8, 7, 5),
    "global/total/usd": (14, 7, 5),
    "agent:a/total/calls": (1, 0, 0),
    "session:x/total/usd": (0, 0, 0),
    "old/total/usd": (3, 0, 0),
}
"""Settled, presumed and held of each account that still stands, at ``LATER_MS``."""


def write(path: Path) -> None:
    """A ledger with a row in each table."""
    clock = Clock()
    ledger = SqliteLedger(path, clock=clock)
    today = Period(START_MS, START_MS + DAY_MS)
    ledger.apply(charge("a0", hold(3, None, "old"), actual=3, labels=Labels("tool", "model", "mid")))
    crowd = Crowd(account("user:+", "day", today), 1)
    ledger.apply(reserve("a1", Hold(account("user:1", "day", today), 1, 9, crowd)))
    ledger.apply(settle("a1", actual=1))
    clock.tick(100 * DAY)
    ledger.apply(Compact())
    both = hold(5, 100), hold(5, None, "global")
    ledger.apply(
        reserve("b1", *both, hold(1, 10, account(unit=Unit.CALLS)), labels=Labels("tool", "m", "t", "a", "s", "c"))
    )
    ledger.apply(settle("b1", actual={Unit.USD: 8, Unit.CALLS: 1}))
    ledger.apply(settle("b2", hold(6, None, "global"), actual=6))
    ledger.apply(reserve("b3", *both))
    ledger.apply(release("b3"))
    ledger.apply(release("b4"))
    ledger.apply(reserve("b5", hold(7, 100), hold(7, None, "global"), lease_ms=1))
    ledger.apply(reserve("b6", *both, lease_ms=1_000 * DAY_MS))
    ledger.apply(reserve("b7", hold(4, None, "session:x")))
    ledger.apply(Resolve("b7", {Unit.USD: 0}, "it never ran", "an operator"))
    ledger.apply(Close(account("session:x")))
    ledger.apply(Raise("agent:a/total/usd", 50, None, "a busy day"))
    ledger.apply(Freeze("global/total/usd", "stop"))
    clock.ms += 1
    ledger.apply(release("b8"))
    ledger.close()


if __name__ == "__main__":
    write(FOLDER / f"format-{schema.VERSION}.db")
