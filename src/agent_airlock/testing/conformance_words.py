"""Short words for what the conformance suite sends to a ledger, for what it answers, and for what stands there."""

from __future__ import annotations

from typing import Any, Final, cast

from ..ledger.accounts import TOTAL, Account, Amounts, Balance, Hold, Labels, Period, Unit
from ..ledger.commands import (
    AnyCommand,
    Charge,
    Conflict,
    Forgotten,
    Frozen,
    InUse,
    OnExpiry,
    PeriodOverlap,
    Refused,
    Release,
    Released,
    Reserve,
    Reserved,
    Settle,
    Settled,
    State,
    WrongPeriod,
)
from ..ledger.operations import Closed, Freeze, Overridden, Raise, Resolve, Resolved

MINUTE: Final = 60
LABELS: Final = Labels("tool", "model", "mid")
WHY: Final = "the conformance suite says so"
NOTHING: Final = "nothing"
OVERRUNS: Final = ("above_hold", "late", "forced", "charged")


# --- what is sent ----------------------------------------------------------------------------------------


def account(scope: str, window: str = "total", period: Period = TOTAL, unit: Unit = Unit.USD) -> Account:
    return Account(scope, window, unit, period)


def hold(amount: int, limit: int | None, where: Account | str = "agent:a") -> Hold:
    return Hold(account(where) if isinstance(where, str) else where, amount, limit)


def reserve(
    id: str,
    *holds: Hold,
    nonce: str = "me",
    lease: int = MINUTE,
    labels: Labels = LABELS,
    on_expiry: OnExpiry = "presume",
) -> Reserve:
    """``lease`` is in seconds."""
    return Reserve(id, nonce, holds, lease * 1000, labels, on_expiry)


def settle(id: str, *holds: Hold, actual: Amounts | int | None = None, labels: Labels = LABELS) -> Settle:
    return Settle(id, holds, amounts(actual), labels)


def charge(id: str, *holds: Hold, actual: Amounts | int | None = None, labels: Labels = LABELS) -> Charge:
    return Charge(id, holds, amounts(actual), labels)


def release(id: str, nonce: str = "me") -> Release:
    return Release(id, nonce)


def resolve(id: str, actual: Amounts | int | None = None) -> Resolve:
    return Resolve(id, amounts(actual), WHY, "somebody")


def lift(where: Account, amount: int, until_ms: int | None = None) -> Raise:
    return Raise(where.line, amount, until_ms, WHY, "somebody")


def freeze(where: Account, *, frozen: bool = True) -> Freeze:
    return Freeze(where.line, WHY, "somebody", frozen)


def amounts(actual: Amounts | int | None) -> Amounts:
    """A bare number is nanodollars; what is not said is booked at its hold."""
    if actual is None:
        return {}
    return {Unit.USD: actual} if isinstance(actual, int) else actual


# --- what is answered ------------------------------------------------------------------------------------


def say(answer: object) -> str:
    """An answer in words, as scenarios have them: ``held``, ``refused agent:a spent fits 3``, ``settled repeated``."""
    match answer:
        case Reserved(state=state):
            return state.value
        case Refused(refusal=no):
            return f"refused {no.account.scope} {no.cause} fits {no.fits.get(no.account.unit)}"
        case WrongPeriod(account=where):
            return f"wrong period {where.scope}"
        case PeriodOverlap(account=where):
            return f"period overlap {where.scope}"
        case Frozen(account=where, cause=cause):
            return f"frozen {where.scope} {cause}"
        case InUse():
            return "in use"
        case Conflict(field=field):
            return f"conflict {field}"
        case Forgotten():
            return "forgotten"
        case Settled(how=how, repeated=repeated):
            return f"{how} repeated" if repeated else how
        case _:
            return _say_of_an_end(answer)


def _say_of_an_end(answer: object) -> str:
    match answer:
        case Released(state=state, effect=effect) | Resolved(state=state, effect=effect):
            return state.value if effect else f"no effect {state.value}"
        case Closed(balance=balance, effect=effect):
            return "closed" if effect else f"no effect {balance.shut}"
        case Overridden(override=override):
            return f"{'frozen' if override.frozen else 'open'} raised {override.raised}"
        case _:
            return f"{answer!r}, which is no answer to a command"


def wrote(answer: object) -> bool:
    """Whether the answer says that a balance may have changed."""
    match answer:
        case Reserved(state=state):
            return state is State.HELD
        case Settled(repeated=repeated):
            return not repeated
        case Released(effect=effect) | Resolved(effect=effect) | Closed(effect=effect):
            return effect
        case _:
            return False


# --- what stands -----------------------------------------------------------------------------------------


def stands(balance: Balance | None) -> str:
    """What is not 0 on an account: ``settled 3 held 5 late 3``, or ``nothing``."""
    counts: dict[str, int] = {}
    if balance is not None:
        counts = {"settled": balance.settled, "presumed": balance.presumed, "held": balance.held}
        counts |= {cause: getattr(balance.overruns, cause) for cause in OVERRUNS}
    return " ".join(f"{name} {count}" for name, count in counts.items() if count) or NOTHING


def spell(command: AnyCommand) -> str:
    """A command in words, for a failure's text: ``reserve r1 me agent:a/total/usd 5 of 10 lease_ms 60000 presume``."""
    names: tuple[str, ...] = cast("Any", type(command)).__slots__
    fields = [_spell(name, getattr(command, name)) for name in names if name not in ("labels", "why", "by")]
    return " ".join([type(command).__name__.lower(), *filter(None, fields)])


def _spell(name: str, value: Any) -> str:
    if name == "holds":
        return ", ".join(f"{one.account.id} {one.amount} of {_any(one.limit)}" for one in value)
    if name == "actual":
        return "actual " + (" ".join(f"{unit.value} {amount}" for unit, amount in value.items()) or "at its hold")
    if name == "account":
        return str(value.id)
    return str(value) if isinstance(value, str) else f"{name} {value}"


def _any(limit: int | None) -> str:
    return "any" if limit is None else str(limit)
