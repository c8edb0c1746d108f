"""How old the shipped prices are."""

from __future__ import annotations

from datetime import UTC, date, datetime

from ..price_facts import STALE_DAYS, is_stale, snapshot_date


def today() -> date:
    """In UTC."""
    return datetime.now(UTC).date()


def age_of_prices() -> int:
    """Days since the shipped prices and limits were compared."""
    return (today() - snapshot_date()).days


def stale_prices() -> str | None:
    """What is said of shipped prices that are too old; None while they are not."""
    if not is_stale(today()):
        return None
    return (
        f"prices: the shipped ones are {age_of_prices()} days old, more than {STALE_DAYS}: "
        "pip install --upgrade agent-airlock-ledger genai-prices"
    )
