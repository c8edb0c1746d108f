"""Hours of a day: which they are, by whose clocks, and what the policy does with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_airlock import (
    Airlock,
    MemoryLedger,
    PolicyViolation,
    SecurityPolicy,
    TimeWindow,
)
from agent_airlock.ledger.commands import Check
from tests.ledger.clock import Clock

DAY = datetime(2026, 7, 1, tzinfo=UTC)
"""In Berlin the clocks are two hours ahead."""


def at(hour: int, minute: int = 0) -> int:
    return int((DAY + timedelta(hours=hour, minutes=minute)).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "open_at", "closed_at"),
    [
        ("09:00-17:00", [(9, 0), (16, 59)], [(8, 59), (17, 0)]),
        ("22:00-06:00", [(22, 0), (0, 0), (5, 59)], [(6, 0), (21, 59)]),
        ("00:00-24:00", [(0, 0), (23, 59)], []),
        ("09:00-17:00 Europe/Berlin", [(7, 0), (14, 59)], [(6, 59), (15, 0)]),
        (" 09:00 - 17:00  UTC ", [(9, 0)], [(17, 0)]),
    ],
)
def test_a_window_is_open_from_its_start_until_just_before_its_end(
    text: str, open_at: list[tuple[int, int]], closed_at: list[tuple[int, int]]
) -> None:
    window = TimeWindow.parse(text)
    assert all(window.holds(at(*when)) for when in open_at)
    assert not any(window.holds(at(*when)) for when in closed_at)


@pytest.mark.parametrize(
    "text",
    [
        "9:00-17:00",
        "09:00",
        "09:00-17:60",
        "25:00-26:00",
        "09:00-09:00",
        "24:00-09:00",
        "a",
        "",
        "09:00-17:00 " * 20,
        5,
    ],
)
def test_what_is_no_window_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match=r"time window|TimeWindow"):
        TimeWindow.parse(text)


@pytest.mark.parametrize("zone", ["Nowhere/Land", "../../etc/passwd", "/etc/localtime", "", "Europe", 5, "\0"])
def test_a_zone_that_is_none_is_refused(zone: Any) -> None:
    with pytest.raises(ValueError, match="IANA name"):
        TimeWindow(0, 60, zone)


@given(st.integers(0, 1439), st.integers(0, 1440), st.integers(0, 4_102_444_800_000))
def test_a_window_and_the_rest_of_the_day_never_overlap_and_leave_no_gap(start: int, end: int, now_ms: int) -> None:
    if start % 1440 == end % 1440:
        return
    window, rest = TimeWindow(start, end, "Europe/Berlin"), TimeWindow(end % 1440, start or 1440, "Europe/Berlin")
    assert window.holds(now_ms) != rest.holds(now_ms)
    local = datetime.fromtimestamp(now_ms / 1000, ZoneInfo("Europe/Berlin"))
    minute = local.hour * 60 + local.minute
    assert window.holds(now_ms) == ((minute - start) % 1440 < (end - start) % 1440 or (start, end) == (0, 1440))


def test_a_window_is_written_as_it_is_read() -> None:
    for text in ("09:00-17:00", "22:00-06:00", "00:00-24:00", "09:00-17:00 Europe/Berlin"):
        assert str(TimeWindow.parse(text)) == text


def test_a_tool_is_blocked_outside_of_its_hours_by_the_ledgers_time() -> None:
    clock = Clock(at(16, 59))
    ledger = MemoryLedger(clock=clock)

    @Airlock(policy=SecurityPolicy(time_restrictions={"deploy_*": "09:00-17:00"}), ledger=ledger)
    def deploy_site(name: str) -> str:
        return name

    assert deploy_site("home") == "home"
    clock.tick(60)
    blocked: Any = deploy_site("home")
    assert blocked["block_reason"] == "policy_violation"
    assert "09:00-17:00" in blocked["error"]
    ledger.apply(Check())
    clock.ms = at(12)  # a wall clock that is set back opens nothing: a ledger's time never runs back
    blocked = deploy_site("home")
    assert blocked["block_reason"] == "policy_violation"
    clock.ms = at(24 + 9)
    assert deploy_site("home") == "home"


def test_every_pattern_that_matches_must_be_open() -> None:
    policy = SecurityPolicy(time_restrictions={"deploy_*": "09:00-17:00", "*": "00:00-12:00", "other": "00:00-00:01"})
    policy.check("deploy_site", at=DAY + timedelta(hours=10))
    with pytest.raises(PolicyViolation, match="00:00-12:00"):
        policy.check("deploy_site", at=DAY + timedelta(hours=13))
    with pytest.raises(PolicyViolation, match="09:00-17:00"):
        policy.check("deploy_site", at=DAY + timedelta(hours=8))
    policy.check("read", at=DAY + timedelta(hours=8))


def test_hours_set_in_an_unfrozen_policy_hold_at_the_next_call() -> None:
    clock = Clock(at(20))
    policy = SecurityPolicy()

    @Airlock(policy=policy, ledger=MemoryLedger(clock=clock))
    def deploy() -> str:
        return "done"

    assert deploy() == "done"
    policy.time_restrictions["deploy"] = "09:00-17:00"  # type: ignore[index]
    blocked: Any = deploy()
    assert blocked["block_reason"] == "policy_violation"
