"""Windows: periods tile time, and the period of a moment contains it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_airlock.windows import Window, period_of

LAST_MS = int(datetime(9990, 1, 1, tzinfo=UTC).timestamp()) * 1_000
MOMENTS = st.integers(0, LAST_MS)
ENDING = [window.value for window in Window if window not in (Window.CALL, Window.TOTAL)]


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
    assert 28 <= (period.end_ms - period.start_ms) / 86_400_000 <= 31


@pytest.mark.parametrize("now_ms", [0, 1, LAST_MS])
def test_total_has_no_end(now_ms: int) -> None:
    period = period_of("total", now_ms)
    assert (period.start_ms, period.end_ms) == (0, None)
    assert period.contains(now_ms)
