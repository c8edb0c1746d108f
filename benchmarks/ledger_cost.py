"""What the memory ledger costs, and that it stays flat as it fills."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator

from agent_airlock import CostTracker, TokenUsage
from agent_airlock.ledger.accounts import Account, Hold, Labels, Unit
from agent_airlock.ledger.commands import Reserve, Settle
from agent_airlock.ledger.ids import IDS
from agent_airlock.ledger.memory import MemoryLedger

from .timing import Figure, compare

LABELS = Labels("benchmark")
LIMIT = 10**15
LEASE_MS = 600_000


def holding(ledger: MemoryLedger, accounts: int) -> Callable[[], object]:
    """Reserve and settle, on each of ``accounts`` in turn. The ids are made beforehand, as a caller makes them."""
    holds = [(Hold(Account(f"session:{n}", "total", Unit.USD), 10, LIMIT),) for n in range(accounts)]
    for hold in holds:
        spend(ledger, IDS.make(ledger.now_ms()), hold)
    turns = itertools.cycle(holds)
    stem = IDS.make(ledger.now_ms() + 1)
    ids = (f"{stem}{n:010d}" for n in itertools.count())
    return lambda: spend(ledger, next(ids), next(turns))


def spend(ledger: MemoryLedger, id: str, holds: tuple[Hold, ...]) -> None:
    ledger.apply(Reserve(id, IDS.nonce, holds, LEASE_MS, LABELS))
    ledger.apply(Settle(id, holds, {Unit.USD: 7}, LABELS))


def locked_count() -> Callable[[], object]:
    lock, counts = threading.Lock(), {"spent": 0}

    def count() -> None:
        with lock:
            counts["spent"] = counts["spent"] + 7

    return count


def figures() -> Iterator[Figure]:
    yield compare(
        "memory ledger: reserve + settle, one account ÷ a locked addition",
        holding(MemoryLedger(), 1),
        locked_count(),
        25,
        base_times=50_000,
    )
    yield compare(
        "memory ledger: reserve + settle, 100,000 accounts ÷ 10 accounts",
        holding(MemoryLedger(), 100_000),
        holding(MemoryLedger(), 10),
        1.2,
    )
    settled = MemoryLedger()
    fill = holding(settled, 1)
    for _ in range(1_000_000):
        fill()
    yield compare(
        "memory ledger: reserve + settle, after 1 million settled calls ÷ none",
        fill,
        holding(MemoryLedger(), 1),
        1.2,
    )
    yield recording()


def recording() -> Figure:
    pricing = {"default": {"input": "0.001", "output": "0.002"}}
    usage = TokenUsage(100, 50)
    many, few = CostTracker(pricing=pricing), CostTracker(pricing=pricing)
    for tracker, calls in ((many, 100_000), (few, 100)):
        for _ in range(calls):
            tracker.record("tool", usage)
    return compare(
        "CostTracker.record after 100,000 calls ÷ after 100",
        lambda: many.record("tool", usage),
        lambda: few.record("tool", usage),
        1.2,
        times=500,
    )
