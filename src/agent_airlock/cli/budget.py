"""``airlock budget``: which limits a call meets, and why."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from .answers import Answer, Code, Grid, Line, Piece
from .loading import noted, open_policy
from .terminal import AsJson, File, WrongUsage, answer, group, option
from .words import a_window, amount, instant

if TYPE_CHECKING:
    from ..budgets import Budget
    from .explaining import Aside, Counted, Explanation, Replaced, TierCap

commands = group("Which limits a call meets, and why.")

_LAST_MS: Final = 253_370_764_800_000
"""The first of January 9999: what is later has no end of its year."""


@commands.command()
def explain(
    tool: Annotated[str, option("--tool", help="The tool that is called.")],
    file: File = None,
    model: Annotated[str | None, option("--model", help="The model's id, or an alias of it.")] = None,
    tier: Annotated[str | None, option("--tier", help="The tier's label.")] = None,
    agent: Annotated[str | None, option("--agent", help="The agent's id.")] = None,
    session: Annotated[str | None, option("--session", help="The session's id.")] = None,
    user: Annotated[str | None, option("--user", help="The user's id.")] = None,
    team: Annotated[str | None, option("--team", help="The team's id.")] = None,
    workspace: Annotated[str | None, option("--workspace", help="The workspace's id.")] = None,
    at: Annotated[str | None, option("--at", help="When, as 2026-11-25T14:00:00Z; else now.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say which limits a call meets, and why.

    Which accounts it counts in, which budget stands for which, what one call may cost, and what only observes. No
    ledger is asked: what is already spent is not known here. What a call does not name is counted as "-", under the
    same limits.
    """
    values = {
        "session": session,
        "agent": agent,
        "user": user,
        "team": team,
        "workspace": workspace,
        "tier": tier,
        "tool": tool,
        "model": model,
    }
    answer(lambda: explained(file, values, at), as_json=as_json)


def explained(file: Path | None, values: Mapping[str, str | None], at: str | None) -> Answer:
    """The limits that a call of these values meets."""
    for kind, value in values.items():
        _check_value(kind, value)
    now_ms = _milliseconds(at)
    opened = open_policy(file)
    from .explaining import explain as work_out

    policy = opened.loaded.policy
    found, _ = noted(lambda: work_out(policy, values, now_ms))
    data = {
        "ok": found.blocked is None,
        "file": opened.file,
        "digest": opened.loaded.digest,
        "at": instant(now_ms),
        "call": dict(found.values),
        "blocked": found.blocked,
        "tier": found.tier and _tier_data(found.tier),
        "limits": [_limit_data(one) for one in found.counted],
        "replaced": [
            {"budget": f"budgets[{one.place}]", "scope": one.budget.scope, "by": one.by, "why": one.why}
            for one in found.replaced
        ],
        "aside": [
            {"budget": f"budgets[{one.place}]", "scope": one.budget.scope, "why": one.why} for one in found.aside
        ],
    }
    return Answer(data, tuple(_pieces(found, now_ms)), Code.FINE if found.blocked is None else Code.NO)


def _check_value(kind: str, value: str | None) -> None:
    from ..scopes import MAX_VALUE_BYTES, is_too_long

    if value is None:
        return
    if not value:
        raise WrongUsage("it is empty: leave it out", param_hint=f"--{kind}")
    if is_too_long(value):
        raise WrongUsage(f"it is longer than {MAX_VALUE_BYTES} bytes", param_hint=f"--{kind}")


def _milliseconds(at: str | None) -> int:
    if at is None:
        return int(time.time() * 1_000)
    try:
        when = datetime.fromisoformat(at)
        now_ms = None if when.tzinfo is None else int(when.timestamp() * 1_000)
    except (ValueError, OverflowError):
        now_ms = None
    if now_ms is None or not 0 <= now_ms < _LAST_MS:
        raise WrongUsage(
            "write a time from 1970 on with its zone, such as 2026-11-25T14:00:00Z or 2026-11-25T15:00:00+01:00",
            param_hint="--at",
        )
    return now_ms


# --- as data ---------------------------------------------------------------------------------------------


def _tier_data(tier: TierCap) -> dict[str, Any]:
    return {
        "label": tier.label,
        "why": tier.why,
        "max_cost_cents": tier.max_cost_cents,
        "max_output_tokens": tier.max_output_tokens,
        "mode": tier.mode,
    }


def _limit_data(one: Counted) -> dict[str, Any]:
    account, is_call = one.account, one.kind == "call"
    return {
        "kind": one.kind,
        "name": one.name,
        "account": None if is_call else account.id,
        "limit": one.limit,
        "unit": account.unit.value,
        "window": "call" if is_call else account.window,
        "ends": None if account.period.end_ms is None else instant(account.period.end_ms),
        "warn_at": one.warn_at,
        "mode": one.mode,
    }


# --- for people ------------------------------------------------------------------------------------------


def _pieces(found: Explanation, now_ms: int) -> Iterator[Piece]:
    named = ", ".join(f"{kind} {value}" for kind, value in found.values.items() if value is not None)
    yield Line(f"a call of {named}, at {instant(now_ms)}", "strong")
    if found.blocked is not None:
        yield Line(f"is blocked: {found.blocked}", "bad")
    if found.tier is not None:
        yield Line(f"tier {found.tier.label} ({found.tier.why}): {_caps(found.tier)}")
    for one in found.counted:
        if one.kind == "call":
            yield Line(f"a call: at most {amount(one.account.unit, one.limit)} ({one.name}){_observes(one.mode)}")
    rows = [_row(one) for one in found.counted if one.kind != "call"]
    if rows:
        yield Line("counts in", "strong")
        yield Grid(rows, ("account", "limit", "until", "because of"))
    elif found.blocked is None:
        yield Line("counts in no account")
    others: tuple[Replaced | Aside, ...] = (*found.replaced, *found.aside)
    for other in others:
        yield Line(f"not budgets[{other.place}] ({_budget(other.budget)}): {other.why}")


def _caps(tier: TierCap) -> str:
    cost = None if tier.max_cost_cents is None else f"at most {tier.max_cost_cents} cents a call"
    output = None if tier.max_output_tokens is None else f"at most {tier.max_output_tokens:,} tokens of output"
    return (", ".join(filter(None, (cost, output))) or "no cap") + _observes(tier.mode)


def _row(one: Counted) -> tuple[str, ...]:
    account = one.account
    limit = f"{amount(account.unit, one.limit)} {a_window(account.window)}{_observes(one.mode)}"
    if one.warn_at is not None:
        limit += f", warns at {amount(account.unit, one.warn_at)}"
    ends = "" if account.period.end_ms is None else instant(account.period.end_ms)
    why = f"rate limit {one.name}" if one.kind == "rate" else one.name
    return account.scope, limit, ends, why


def _observes(mode: str) -> str:
    return ", observed only" if mode == "observe" else ""


def _budget(budget: Budget) -> str:
    return f"{budget.scope}, {amount(budget.unit, budget.amount)} {a_window(budget.window)}"
