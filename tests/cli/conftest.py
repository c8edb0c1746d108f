"""Fixtures of the command's tests."""

from __future__ import annotations

from datetime import date

import pytest

from agent_airlock import price_facts
from agent_airlock.cli import ages


@pytest.fixture
def old_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shipped prices that were last compared long ago."""
    long_ago = date(2020, 1, 1)
    monkeypatch.setattr(price_facts, "snapshot_date", lambda: long_ago)
    monkeypatch.setattr(ages, "snapshot_date", lambda: long_ago)
