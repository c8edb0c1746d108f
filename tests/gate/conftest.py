"""Each test of the gate has a tracker and a ledger of its own; the ledger is audited when the test is over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent_airlock import CostTracker, MemoryLedger, set_global_tracker
from tests.gate.rig import Clock, Events, audit, priced


@pytest.fixture(autouse=True)
def tracker() -> Iterator[CostTracker]:
    """The global tracker, with easy prices and no caps."""
    tracker = priced()
    set_global_tracker(tracker)
    yield tracker
    set_global_tracker(None)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(clock: Clock) -> Iterator[MemoryLedger]:
    ledger = MemoryLedger(clock=clock)
    yield ledger
    audit(ledger, clock)


@pytest.fixture
def events() -> Events:
    return Events()
