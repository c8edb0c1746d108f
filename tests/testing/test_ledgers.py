"""The ledgers for tests: they keep what they were asked, and fail when they are told to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent_airlock import Airlock, AirlockContext, Budget, Cost, MemoryLedger, SecurityPolicy
from agent_airlock.exceptions import LedgerUnavailable
from agent_airlock.ledger.accounts import Unit
from agent_airlock.ledger.commands import Release, Reserve, Reserved, Settle
from agent_airlock.testing import Clock, RecordingLedger, async_ledger

POLICY = SecurityPolicy(budgets=[Budget("agent:*", "0.05 USD", window="day"), Budget("agent:*", "9 calls")])


def search(ledger: Any) -> Any:
    @Airlock(policy=POLICY, ledger=ledger, cost=Cost("0.02 USD"))
    def search(query: str) -> str:
        return query

    return search


def test_a_recording_ledger_keeps_each_command_with_its_answer() -> None:
    ledger = RecordingLedger()
    with AirlockContext(agent_id="a"):
        assert search(ledger)("otters") == "otters"
    assert ledger.verbs == ["Reserve", "Settle"]
    reserve, answer = ledger.asked[0]
    assert isinstance(reserve, Reserve)
    assert isinstance(answer, Reserved)
    assert (ledger.booked("agent:a"), ledger.booked("agent:a", Unit.CALLS)) == (20_000_000, 1)
    assert repr(ledger) == "<RecordingLedger of 2 commands>" or "commands" in repr(ledger)


def test_a_clock_moves_a_budget_into_its_next_day() -> None:
    clock = Clock(datetime(2026, 3, 1, 23, 59, tzinfo=UTC))
    gated = search(RecordingLedger(clock=clock))
    assert [isinstance(gated("a"), str) for _ in range(3)] == [True, True, False]
    clock.tick(60)
    assert gated("a") == "a"
    clock.tick(timedelta(days=1))
    assert clock.now == datetime(2026, 3, 3, 0, 0, tzinfo=UTC)
    clock.move_to(datetime(2026, 4, 1, tzinfo=UTC))
    assert clock() == 1_775_001_600_000_000_000


def test_a_clock_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="a time with a zone"):
        Clock(datetime(2026, 3, 1))  # noqa: DTZ001
    with pytest.raises(ValueError, match="a time with a zone"):
        Clock().move_to(datetime(2026, 3, 1))  # noqa: DTZ001


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_failure_that_was_asked_for_comes_once(moment: Any) -> None:
    ledger = RecordingLedger()
    ledger.fail_next(Reserve, LedgerUnavailable("gone"), moment=moment)
    gated = search(ledger)
    assert gated("a")["block_reason"] == "ledger_unavailable"
    assert gated("a") == "a"
    assert ledger.verbs == ["Reserve", "Release", "Reserve", "Settle"]
    assert ledger.booked("agent:-") == 20_000_000


def test_a_settle_whose_answer_is_lost_is_booked() -> None:
    ledger = RecordingLedger(MemoryLedger())
    ledger.fail_next(Settle, OSError("gone"), moment="after")
    assert search(ledger)("a") == "a"
    assert ledger.booked("agent:-") == 20_000_000
    assert Release.__name__ not in ledger.verbs


async def test_an_async_ledger_is_awaited() -> None:
    @Airlock(policy=POLICY, ledger=async_ledger(), cost=Cost("0.03 USD"))
    async def fetch(query: str) -> str:
        return query

    assert await fetch("a") == "a"
    blocked: Any = await fetch("a")
    assert blocked["block_reason"] == "budget_exceeded"
