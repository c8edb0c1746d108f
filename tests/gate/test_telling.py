"""What the gate tells of the money: a mark once, what an observer would block, a call that outlasted its lease."""

from __future__ import annotations

import logging
from functools import partial

import pytest

from agent_airlock import (
    Airlock,
    AirlockContext,
    Budget,
    BudgetConfig,
    Cost,
    CostTracker,
    EventKind,
    LedgerUnavailable,
    MemoryLedger,
    SecurityPolicy,
    TokenUsage,
    set_global_tracker,
)
from agent_airlock import events as events_module
from agent_airlock.events import Event, counts, tell
from agent_airlock.ledger.commands import Settle
from tests.gate.rig import CENT, Clock, Events, Scripted, priced
from tests.ledger.crowd import at_once


def _tool(
    ledger: MemoryLedger | Scripted, events: Events, *budgets: Budget, cost: str = "0.01 USD", lease: str = "1 min"
):
    policy = SecurityPolicy(budgets=budgets, lease=lease)

    @Airlock(policy=policy, ledger=ledger, cost=Cost(cost), config=events.config)
    def search(query: str = "") -> str:
        return "found"

    return search


def test_a_mark_is_told_once_an_account_and_period_by_an_event_and_a_log_line(
    ledger: MemoryLedger, clock: Clock, events: Events, caplog: pytest.LogCaptureFixture
) -> None:
    clock.ms += 1
    search = _tool(ledger, events, Budget("agent:*", "0.10 USD", window="day", warn_at=0.8))
    with caplog.at_level(logging.WARNING, "agent_airlock"):
        for agent in ("a", "b"):
            with AirlockContext(agent_id=agent):
                for _ in range(10):
                    assert search() == "found"
        clock.tick(86_400)
        with AirlockContext(agent_id="a"):
            for _ in range(9):
                search()
    told = events.of(EventKind.WARNED)
    assert [event.fields["scope"] for event in told] == ["agent:*"] * 3
    assert len({event.fields["account"] for event in told}) == 3
    assert {event.fields["spent"] for event in told} == {8 * CENT}, "at the crossing"
    lines = [record for record in caplog.records if getattr(record, "airlock_event", None) == "warned"]
    assert [record.levelno for record in lines] == [logging.WARNING] * 3
    assert [getattr(record, "airlock_account") for record in lines] == [event.fields["account"] for event in told]  # noqa: B009


@pytest.mark.parametrize(("warn_at", "after"), [(1, 10), (0.05, 1), (0.1, 1), (0.11, 2)])
def test_a_mark_is_met_exactly(ledger: MemoryLedger, events: Events, warn_at: float, after: int) -> None:
    search = _tool(ledger, events, Budget("global", "0.10 USD", warn_at=warn_at))
    for number in range(1, 11):
        search()
        assert len(events.of(EventKind.WARNED)) == (number >= after), number


def test_a_mark_is_told_once_by_many_threads(ledger: MemoryLedger, events: Events) -> None:
    search = _tool(ledger, events, Budget("global", "0.64 USD", warn_at=0.5))
    assert at_once([search] * 64) == ["found"] * 64
    assert len(events.of(EventKind.WARNED)) == 1


def test_a_session_cap_s_mark_is_told_once_an_epoch(events: Events) -> None:
    tracker = CostTracker(budget=BudgetConfig(max_cost_per_session="0.10", warn_at_percentage=50))
    set_global_tracker(tracker)

    @Airlock(cost=Cost("0.01 USD"), config=events.config)
    def search() -> str:
        return "found"

    for _ in range(10):
        search()
    assert [event.fields["spent"] for event in events.of(EventKind.WARNED)] == [5 * CENT]
    tracker.reset()
    for _ in range(6):
        search()
    assert len(events.of(EventKind.WARNED)) == 2


def test_a_session_cap_s_mark_is_told_of_what_is_recorded_too(caplog: pytest.LogCaptureFixture) -> None:
    tracker = priced(budget=BudgetConfig(max_tokens_per_session=100, warn_at_percentage=80))
    with caplog.at_level(logging.WARNING, "agent_airlock"):
        for _ in range(10):
            tracker.record("ask", TokenUsage(5, 5))
    assert [record.getMessage() for record in caplog.records] == ["warned: ask"]


def test_observing_counts_and_tells_what_it_would_block_and_blocks_nothing(
    ledger: MemoryLedger, events: Events
) -> None:
    search = _tool(ledger, events, Budget("agent:*", "0.03 USD", mode="observe"))
    assert [search() for _ in range(5)] == ["found"] * 5
    told = events.of(EventKind.WOULD_BLOCK)
    assert len(told) == 2
    assert told[0].fields == {
        "check": "budgets",
        "reason": "budget_exceeded",
        "scope": "agent:*",
        "account": "observed:agent:-/total/usd",
        "limit": 3 * CENT,
    }
    assert events.kinds.index("would_block") > 0


def test_observing_the_call_window_tells_too(ledger: MemoryLedger, events: Events) -> None:
    search = _tool(ledger, events, Budget("tool:*", "0.005 USD", window="call", mode="observe"))
    assert search() == "found"
    assert [event.fields["scope"] for event in events.of(EventKind.WOULD_BLOCK)] == ["tool:*"]


def test_observing_usd_stops_no_call_of_unknown_cost_and_tells(ledger: MemoryLedger, events: Events) -> None:
    set_global_tracker(CostTracker())
    policy = SecurityPolicy(budgets=[Budget("global", "1 USD", mode="observe")])

    @Airlock(policy=policy, ledger=ledger, cost=Cost.model(), config=events.config)
    def ask(prompt: str) -> str:
        return "answer"

    assert ask("hello") == "answer"
    assert len(events.of(EventKind.WOULD_BLOCK)) == 1


def test_money_7_a_call_that_outlasts_its_lease_is_told_and_booked_at_its_real_cost(
    ledger: MemoryLedger, clock: Clock, events: Events
) -> None:
    policy = SecurityPolicy(budgets=[Budget("global", "1 USD")], lease="10 s")

    @Airlock(policy=policy, ledger=ledger, cost=Cost("0.01 USD"), config=events.config)
    def slow() -> str:
        clock.tick(11)
        ledger_says = search()
        assert ledger_says == "found"
        return "at last"

    search = _tool(ledger, events, Budget("global", "1 USD"), lease="10 s")
    assert slow() == "at last"
    assert len(events.of(EventKind.PRESUMED)) == 1
    assert events.of(EventKind.PRESUMED)[0].tool == "slow"


def test_events_of_a_call_come_in_order(ledger: MemoryLedger, events: Events) -> None:
    search = _tool(ledger, events, Budget("global", "0.01 USD"))
    search()
    search()
    assert events.kinds == ["admitted", "settled", "blocked"]
    assert events.heard[0].call_id == events.heard[1].call_id


def test_calls_without_a_session_are_warned_of_once_and_the_block_says_how_to_name_one(
    ledger: MemoryLedger, events: Events, caplog: pytest.LogCaptureFixture
) -> None:
    search = _tool(ledger, events, Budget("session:*", "0.01 USD"))
    with caplog.at_level(logging.WARNING, "agent_airlock"):
        search()
        block = search()
        search()
    assert sum("AirlockContext(session_id=" in record.getMessage() for record in caplog.records) == 1
    assert any("AirlockContext(session_id=" in hint for hint in block["fix_hints"])


def test_a_listener_that_raises_changes_nothing(ledger: MemoryLedger, caplog: pytest.LogCaptureFixture) -> None:
    broken = Events()
    broken.heard = type("Broken", (list,), {"append": lambda self, event: 1 / 0})()
    search = _tool(ledger, broken, Budget("global", "0.01 USD"))
    assert search() == "found"
    assert "a callback of agent_airlock raised" in caplog.text


def test_counts_lose_no_event_among_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module.LOGGER, "disabled", True)
    before = counts().get(EventKind.FORGOTTEN, 0)
    event = Event(EventKind.FORGOTTEN, "tool")

    def many() -> None:
        for _ in range(200):
            tell(event, None)

    at_once([partial(many)] * 16)
    assert counts()[EventKind.FORGOTTEN] - before == 3_200


def test_a_call_whose_settle_failed_is_not_told_as_settled(ledger: MemoryLedger, events: Events) -> None:
    def fail() -> None:
        raise LedgerUnavailable("down")

    search = _tool(Scripted(Settle, before=fail, inner=ledger), events, Budget("global", "1 USD"))
    assert search() == "found"
    assert "settle_failed" in events.kinds
    assert "settled" not in events.kinds
