"""Short words for the messages that tests send."""

from __future__ import annotations

from typing import Final

from agent_airlock.ledger.accounts import TOTAL, Account, Amounts, Hold, Labels, Period, Unit
from agent_airlock.ledger.commands import Charge, OnExpiry, Reserve, Settle
from agent_airlock.ledger.operations import Freeze, Raise, Resolve
from agent_airlock.testing.conformance_words import amounts, hold, release

__all__ = [
    "LABELS",
    "MINUTE",
    "WHY",
    "account",
    "charge",
    "freeze",
    "hold",
    "lapsing",
    "lifted",
    "release",
    "reserve",
    "resolve",
    "settle",
    "thaw",
]

MINUTE: Final = 60_000
LABELS: Final = Labels("tool")
WHY: Final = "an operator says so"


def account(scope: str = "agent:a", window: str = "total", period: Period = TOTAL, unit: Unit = Unit.USD) -> Account:
    return Account(scope, window, unit, period)


def reserve(
    id: str,
    *holds: Hold,
    nonce: str = "me",
    lease_ms: int = MINUTE,
    labels: Labels = LABELS,
    on_expiry: OnExpiry = "presume",
) -> Reserve:
    return Reserve(id, nonce, holds, lease_ms, labels, on_expiry)


def lapsing(id: str, *holds: Hold, nonce: str = "me") -> Reserve:
    """A reserve whose lease gives the holds back when it ends."""
    return reserve(id, *holds, nonce=nonce, on_expiry="release")


def settle(id: str, *holds: Hold, actual: Amounts | int | None = None, labels: Labels = LABELS) -> Settle:
    return Settle(id, holds, amounts(actual), labels)


def charge(id: str, *holds: Hold, actual: Amounts | int | None = None, labels: Labels = LABELS) -> Charge:
    return Charge(id, holds, amounts(actual), labels)


def resolve(id: str, actual: Amounts | int | None = None, *, why: str = WHY, by: str = "") -> Resolve:
    return Resolve(id, amounts(actual), why, by)


def lifted(line: str, amount: int, until_ms: int | None = None, *, why: str = WHY, by: str = "") -> Raise:
    return Raise(line, amount, until_ms, why, by)


def freeze(line: str, *, frozen: bool = True, why: str = WHY, by: str = "") -> Freeze:
    return Freeze(line, why, by, frozen)


def thaw(line: str) -> Freeze:
    return freeze(line, frozen=False)
