"""Rows of the file ↔ values of the ledger."""

from __future__ import annotations

import json
from typing import Final

from ...exceptions import LedgerCorrupt
from ...money import MAX_AMOUNT
from ..accounts import Account, Amounts, Balance, Hold, Labels, Overrun, Period, Unit
from ..commands import Charge, FoldKey, Release, Reserve, Settle, State
from ..rows import Request, Reservation
from .statements import Values

BALANCE: Final = (
    "a.id, a.scope, a.window, a.unit, a.start_ms, a.end_ms, a.settled, a.presumed, a.held, a.above_hold, a.late, "
    "a.forced, a.charged, a.last_limit, a.shut, a.granted, a.limits_disagree"
)
"""The columns of :func:`balance_of`."""
RESERVATION: Final = (
    "r.id, r.verb, r.state, r.nonce, r.lease_ms, r.on_expiry, r.expires_ms, r.how, r.ended_ms, "
    "r.actual_usd, r.actual_tokens, r.actual_calls, r.tool, r.model, r.tier, r.agent, r.session, r.child"
)
"""The columns of :func:`reservation_of`."""

_STATES: Final = {state.value: state for state in State}
_UNITS: Final = {unit.value: unit for unit in Unit}
_BOOKED: Final = {State.SETTLED.value, State.RESOLVED.value}
_VERBS: Final[dict[type[Request], str]] = {
    Reserve: "reserve",
    Settle: "settle",
    Charge: "charge",
    Release: "release",
}


def account_of(id: str, scope: str, window: str, unit: str, start_ms: int, end_ms: int | None) -> Account:
    account = Account(scope, window, _UNITS[unit], Period(start_ms, end_ms))
    if account.id != id:  # rule 13, after a read
        raise LedgerCorrupt(f"account {id} is stored with the parts of {account.id}")
    return account


def balance_of(row: Values) -> Balance:
    settled, presumed, held, *overruns = row[6:13]
    if min(settled, presumed, held) < 0 or settled + presumed + held > MAX_AMOUNT:
        raise LedgerCorrupt(f"account {row[0]} cannot stand so: {settled=}, {presumed=}, {held=}")
    limit, shut, granted, disagree = row[13:17]
    account = account_of(*row[:6])
    return Balance(account, settled, presumed, held, Overrun(*overruns), limit, shut, bool(granted), bool(disagree))


def counts_of(balance: Balance) -> Values:
    """The columns of a balance that change."""
    overruns = balance.overruns
    return (
        balance.settled,
        balance.presumed,
        balance.held,
        overruns.above_hold,
        overruns.late,
        overruns.forced,
        overruns.charged,
        balance.last_limit,
        balance.shut,
        int(balance.granted),
        int(balance.limits_disagree),
    )


def reservation_of(row: Values, holds: tuple[Hold, ...]) -> Reservation:
    id, verb, state, nonce, lease_ms, on_expiry, expires_ms, how, ended_ms, *rest = row
    said, labels = rest[:3], rest[3:]
    # What was said is kept where it was booked: of a settled or resolved row.
    amounts: Amounts | None = None
    if state in _BOOKED:
        amounts = {unit: amount for unit, amount in zip(_UNITS.values(), said, strict=True) if amount is not None}
    request: Request
    if verb == "reserve":
        request = Reserve(id, nonce, holds, lease_ms, Labels(*labels), on_expiry)
    elif verb == "release":
        request = Release(id, nonce)
    else:
        request = (Charge if verb == "charge" else Settle)(id, holds, amounts or {}, Labels(*labels))
    return Reservation(request, _STATES[state], holds, expires_ms, how, amounts, ended_ms)


def values_of(row: Reservation) -> Values:
    """The columns of :data:`RESERVATION`, in their order."""
    labels = row.labels
    return (
        row.id,
        _VERBS[type(row.request)],
        row.state.value,
        row.nonce,
        row.lease_ms,
        row.on_expiry,
        row.expires_ms,
        row.how,
        row.ended_ms,
        *_said(row.actual),
        plain(labels.tool),
        plain(labels.model),
        plain(labels.tier),
        plain(labels.agent),
        plain(labels.session),
        plain(labels.child),
    )


def _said(actual: Amounts | None) -> Values:
    """An amount for each unit. (The rules looked at those that are booked; what means nothing is dropped.)"""
    if not actual:
        return (None, None, None)
    return tuple([min(said, MAX_AMOUNT) if type(said := actual.get(unit)) is int else None for unit in Unit])


def unit_of(text: str) -> Unit:
    return _UNITS[text]


def labels_text(tool: str, model: str | None, tier: str | None) -> str:
    """Labels as the text that names a month's sum."""
    return json.dumps([tool, model, tier])


def fold_key_of(text: str) -> FoldKey:
    tool, model, tier = json.loads(text)
    return tool, model, tier


def plain(label: str | None) -> str | None:
    """A label as text that SQLite can keep: half a surrogate pair is written out."""
    if label is None or label.isascii():
        return label
    return label.encode("utf-8", "backslashreplace").decode("utf-8")
