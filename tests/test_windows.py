"""Windows: periods tile time, and the period of a moment contains it, in every zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_airlock.ledger.accounts import Period
from agent_airlock.windows import Window, period_of, window_in
from tests.zones import FIRST, LAST, clocks, shown

LAST_MS = int(datetime(9990, 1, 1, tzinfo=UTC).timestamp()) * 1_000
MOMENTS = st.integers(0, LAST_MS)
ENDING = [window.value for window in Window if window not in (Window.CALL, Window.TOTAL)]
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
PARTS = 8


@given(st.sampled_from(ENDING), MOMENTS)
def test_periods_contain_their_moment_and_tile(window: str, now_ms: int) -> None:
    period = period_of(window, now_ms)
    assert period.contains(now_ms)
    assert period.end_ms is not None
    assert period_of(window, period.start_ms) == period_of(window, period.end_ms - 1) == period
    following = period_of(window, period.end_ms)
    assert following.start_ms == period.end_ms, "no gap and no overlap"
    assert not following.overlaps(period)
    if period.start_ms:
        assert period_of(window, period.start_ms - 1).end_ms == period.start_ms


@given(MOMENTS)
def test_a_month_begins_on_its_first_and_holds_whole_days(now_ms: int) -> None:
    period = period_of("month", now_ms)
    start = datetime.fromtimestamp(period.start_ms // 1_000, UTC)
    assert (start.day, start.hour, start.minute, start.second) == (1, 0, 0, 0)
    assert period.end_ms is not None
    assert 28 <= (period.end_ms - period.start_ms) / DAY_MS <= 31


@pytest.mark.parametrize("now_ms", [0, 1, LAST_MS])
def test_total_has_no_end(now_ms: int) -> None:
    period = period_of("total", now_ms)
    assert (period.start_ms, period.end_ms) == (0, None)
    assert period.contains(now_ms)


# --- zones -----------------------------------------------------------------------------------------------


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000


def _said(period: Period) -> tuple[str, str]:
    start, end = (
        datetime.fromtimestamp(ms // 1_000, UTC).strftime("%Y-%m-%d %H:%M")
        for ms in (period.start_ms, period.end_ms or 0)
    )
    return start, end


@pytest.mark.parametrize(
    ("zone", "now", "start", "end"),
    [
        ("Europe/Berlin", "2026-01-15 12:00", "2026-01-14 23:00", "2026-01-15 23:00"),
        ("Europe/Berlin", "2026-03-29 12:00", "2026-03-28 23:00", "2026-03-29 22:00"),
        ("Europe/Berlin", "2026-10-25 12:00", "2026-10-24 22:00", "2026-10-25 23:00"),
        ("Asia/Kolkata", "2026-01-15 18:29", "2026-01-14 18:30", "2026-01-15 18:30"),
        ("America/Sao_Paulo", "2018-11-04 12:00", "2018-11-04 03:00", "2018-11-05 02:00"),
        ("America/Havana", "2023-11-05 04:30", "2023-11-05 04:00", "2023-11-06 05:00"),
        ("America/Asuncion", "2023-03-26 03:30", "2023-03-25 03:00", "2023-03-26 04:00"),
        ("America/St_Johns", "2010-11-07 02:45", "2010-11-07 02:30", "2010-11-08 03:30"),
        ("Pacific/Apia", "2011-12-30 09:59", "2011-12-29 10:00", "2011-12-30 10:00"),
        ("Pacific/Apia", "2011-12-30 10:00", "2011-12-30 10:00", "2011-12-31 10:00"),
    ],
    ids=[
        "winter",
        "a day of 23 hours",
        "a day of 25 hours",
        "half an hour",
        "a midnight that is not",
        "the hour after midnight twice",
        "the hour before midnight twice",
        "yesterday's clock, after today's midnight",
        "the last day before one that is not",
        "the day after one that is not",
    ],
)
def test_a_day_of_a_zone_is_from_its_first_midnight_to_the_next(zone: str, now: str, start: str, end: str) -> None:
    assert _said(period_of("day", _ms(now), zone)) == (start, end)


def test_a_month_of_a_zone_begins_at_its_midnight() -> None:
    assert _said(period_of("month", _ms("2026-03-31 22:00"), "Europe/Berlin")) == (
        "2026-03-31 22:00",
        "2026-04-30 22:00",
    )
    assert _said(period_of("month", _ms("2026-12-01 05:00"), "America/New_York"))[1] == "2027-01-01 05:00"


def test_seconds_minutes_and_hours_are_the_same_in_every_zone() -> None:
    for window in ("second", "minute", "hour", "total"):
        assert period_of(window, _ms("2026-01-15 12:34"), "Asia/Kolkata") == period_of(window, _ms("2026-01-15 12:34"))
        assert window_in(window, "Asia/Kolkata") == window
    assert window_in("day", "Asia/Kolkata") == "day@Asia/Kolkata"
    assert window_in("day", "UTC") == "day"


def _is_right(window: str, period: Period, zone: ZoneInfo) -> None:
    """It begins when the clocks first show its date, or its month, and all of it is one period."""
    start, end = period.start_ms, period.end_ms
    assert end is not None
    assert start < end
    first, before = shown(start // 1_000, zone), shown(start // 1_000 - 1, zone)
    dates = [(at.year, at.month) if window == "month" else (at.year, at.month, at.day) for at in (before, first)]
    assert dates[0] < dates[1], "the second before still shows an earlier one"
    longest, shortest = (32, 27) if window == "month" else (28 / 24, 20 / 24)
    assert shortest * DAY_MS <= end - start <= longest * DAY_MS
    for now in (start, end - 1, *range(start + 5 * HOUR_MS, end, (end - start) // 4)):
        assert period_of(window, now, zone.key) == period


@pytest.mark.parametrize("window", ["day", "month"])
def test_periods_tile_about_every_change_of_every_zone_s_clocks(window: str) -> None:
    for name, changes in clocks().items():
        zone = ZoneInfo(name)
        for change in changes or (FIRST,):
            period = period_of(window, change * 1_000 - (DAY_MS if window == "day" else 0), name)
            for _ in range(3 if window == "day" else 1):
                _is_right(window, period, zone)
                assert period.end_ms is not None
                following = period_of(window, period.end_ms, name)
                assert following.start_ms == period.end_ms, (name, change, "no gap and no overlap")
                period = following


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("window", ["day", "month"])
def test_all_zones_tile_from_2011_to_2036(window: str, part: int) -> None:
    for name in list(clocks())[part::PARTS]:
        period = period_of(window, FIRST * 1_000, name)
        while period.end_ms is not None and period.end_ms < LAST * 1_000:
            following = period_of(window, period.end_ms, name)
            assert period_of(window, period.end_ms - 1, name) == period
            assert following.start_ms == period.end_ms, name
            period = following


def test_the_zones_of_this_machine_are_many() -> None:
    assert len(clocks()) > 100
    assert sum(map(len, clocks().values())) > 1_000, "their clocks are set"
