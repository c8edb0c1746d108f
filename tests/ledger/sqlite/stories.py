"""What callers do to a ledger, as lists of commands and seconds that pass: each step of a ledger's life is in one."""

from __future__ import annotations

from typing import Any, Final

from agent_airlock.ledger.accounts import Period, Unit
from agent_airlock.ledger.commands import Charge, Release, Reserve, Settle
from agent_airlock.ledger.operations import Close, Freeze, Raise, Resolve
from tests.ledger.clock import START_MS
from tests.ledger.words import account, charge, hold, release, reserve, settle

HOUR_MS: Final = 3_600_000
HOURLY: Final = account("agent:a", "hour", Period(START_MS, START_MS + HOUR_MS))
BOTH: Final = (hold(5, 20), hold(5, None, "global"))

Story = list[Any]
STORIES: Final[dict[str, Story]] = {
    "settled": [reserve("r1", *BOTH), settle("r1", *BOTH, actual=3)],
    "above its hold": [reserve("r1", *BOTH), settle("r1", *BOTH, actual=8)],
    "released, then late": [reserve("r1", *BOTH), release("r1"), settle("r1", *BOTH, actual=3)],
    "forced and charged": [settle("r1", *BOTH, actual=3), charge("r2", *BOTH, actual=4)],
    "closed, then forced": [release("r1"), settle("r1", *BOTH, actual=3)],
    "presumed, then settled": [reserve("r1", *BOTH), 61, reserve("r2", *BOTH), settle("r1", *BOTH, actual=3)],
    "refused between grants": [reserve("r1", hold(5, 8)), reserve("r2", hold(5, 8)), reserve("r3", hold(3, 8))],
    "periods and units": [
        reserve("r1", hold(5, 20, HOURLY), hold(2, 9, account(unit=Unit.CALLS))),
        settle("r1", actual={Unit.USD: 4, Unit.CALLS: 1}),
        3_600,
        reserve("r2", hold(5, 20, account("agent:a", "hour", Period(START_MS + HOUR_MS, START_MS + 2 * HOUR_MS)))),
    ],
    "an operator": [
        reserve("r1", *BOTH),
        Resolve("r1", {Unit.USD: 2}, "seen on the bill"),
        Raise("agent:a/total/usd", 5, None, "a busy day"),
        reserve("r2", hold(22, 20)),
        Freeze("global/total/usd", "stop"),
        reserve("r3", *BOTH),
        Close(account("agent:a")),
    ],
    "many": [step for n in range(8) for step in (reserve(f"r{n}", hold(5, None)), settle(f"r{n}", actual=n % 7))],
}
MONEY: Final = (Reserve, Settle, Charge, Release)
