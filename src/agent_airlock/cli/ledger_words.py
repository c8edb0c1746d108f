"""Times and amounts of a ledger: how they are typed, and how they are answered, for people and for programs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from ..ledger.accounts import Amounts, Balance, Labels, Unit
from ..money import format_usd
from .terminal import WrongUsage
from .words import amount, instant

_LENGTH: Final = re.compile(r"\s*(\d{1,6})\s*(s|min|h|d)\s*")
_UNITS: Final = {"s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_LAST_MS: Final = 253_370_764_800_000
"""The first of January 9999: what is later cannot be shown."""


def length_ms(text: str) -> int | None:
    """``2h``, ``30 min``, ``7d`` in milliseconds; None where it is no length of time."""
    match = _LENGTH.fullmatch(text)
    return int(match[1]) * _UNITS[match[2]] if match else None


def instant_ms(text: str) -> int | None:
    """A time with its zone, as ``2026-11-25T14:00:00Z``, in milliseconds since 1970; None where it is none."""
    try:
        when = datetime.fromisoformat(text)
        found = None if when.tzinfo is None else int(when.astimezone(UTC).timestamp() * 1_000)
    except (ValueError, OverflowError):
        return None
    return found if found is not None and 0 <= found < _LAST_MS else None


def checked(text: str | None, hint: str) -> str | None:
    """A word that the ledger can keep, and compare.

    Raises:
        WrongUsage: it is empty, or not in the terminal's own encoding.
    """
    if text is None:
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        raise WrongUsage("it is no text in this terminal's encoding", param_hint=hint) from None
    if not text.strip():
        raise WrongUsage("it is empty", param_hint=hint)
    return text


# --- amounts ---------------------------------------------------------------------------------------------


def usd(nano: int) -> str:
    """Nanodollars as exact USD, for programs: ``0.02``."""
    return format_usd(nano).removesuffix(" USD")


def counted(unit: Unit, **counts: int | None) -> dict[str, Any]:
    """Whole nanodollars, tokens or calls by name; of USD the exact text beside each, as ``settled_usd``."""
    data: dict[str, Any] = {}
    for name, count in counts.items():
        data[name] = count
        if unit is Unit.USD:
            data[f"{name}_usd"] = None if count is None else usd(count)
    return data


def spent(amounts: Amounts) -> dict[str, Any]:
    """What something cost, by unit."""
    nano = amounts.get(Unit.USD, 0)
    return {
        "nanodollars": nano,
        "usd": usd(nano),
        "tokens": amounts.get(Unit.TOKENS, 0),
        "calls": amounts.get(Unit.CALLS, 0),
    }


def in_words(amounts: Amounts) -> str:
    """``0.02 USD, 1,200 tokens``; a dash where nothing was spent."""
    return ", ".join(amount(unit, amounts[unit]) for unit in Unit if amounts.get(unit)) or "-"


# --- rows ------------------------------------------------------------------------------------------------


def labels_data(labels: Labels) -> dict[str, str | None]:
    return {name: getattr(labels, name) for name in LABELS}


LABELS: Final = ("tool", "model", "tier", "agent", "session", "child")


def labels_words(labels: Labels) -> list[str]:
    """Tool, model, agent and session: what an operator knows a call by."""
    return [getattr(labels, name) or "-" for name in ("tool", "model", "agent", "session")]


def balance_data(balance: Balance) -> dict[str, Any]:
    """An account and its counts."""
    account, period, overruns = balance.account, balance.account.period, balance.overruns
    by_cause = {name: getattr(overruns, name) for name in ("above_hold", "late", "forced", "charged")}
    return {
        "account": account.id,
        "line": account.line,
        "scope": account.scope,
        "window": account.window,
        "unit": account.unit.value,
        "starts": instant(period.start_ms),
        "ends": None if period.end_ms is None else instant(period.end_ms),
        **counted(
            account.unit,
            settled=balance.settled,
            presumed=balance.presumed,
            held=balance.held,
            total=balance.total,
            limit=balance.last_limit,
            overrun=balance.overrun,
        ),
        "overruns": by_cause,
        "shut": balance.shut,
        "limits_disagree": balance.limits_disagree,
    }


def standing(ledger: str, **more: Any) -> Mapping[str, Any]:
    """What every answer about a ledger begins with."""
    return {"ok": True, "ledger": ledger, **more}
