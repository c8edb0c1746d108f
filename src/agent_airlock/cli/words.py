"""Amounts, times and URLs, as the command writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from ..ledger.accounts import Unit
from ..money import format_usd

_USERINFO: Final = re.compile(r"^([^:]*:(?://)?).*@", re.DOTALL)
_SECRET: Final = re.compile(r"([?&#;][^=&;]*(?:pass|pwd|secret|token|key|auth|sig|cred)[^=&;]*=)[^&;#]*", re.IGNORECASE)


def amount(unit: Unit, count: int) -> str:
    """``5 USD``, ``200,000 tokens``, ``1 call``."""
    if unit is Unit.USD:
        return format_usd(count)
    return f"{count:,} {unit.value.removesuffix('s') if count == 1 else unit.value}"


def a_window(window: str) -> str:
    """``a day``, ``an hour``; ``in total`` where it never begins anew."""
    if window == "total":
        return "in total"
    return f"{'an' if window == 'hour' else 'a'} {window}"


def instant(milliseconds: int) -> str:
    """Milliseconds since 1970 as ``2026-11-25T14:00:00Z``."""
    return datetime.fromtimestamp(milliseconds // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def redacted(url: str) -> str:
    """A URL without what may be a secret: who logs in, and parameters whose name says so."""
    return _SECRET.sub(r"\1***", _USERINFO.sub(r"\1***@", url))
