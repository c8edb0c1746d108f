"""The answer that a model reads: what happened, why, and what would pass."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, NotRequired, TypedDict

from .exceptions import (
    AirlockBlocked,
    AirlockBudgetExceeded,
    BlockReason,
    BudgetExceededError,
    CapabilityDenied,
    EndpointBlocked,
    GhostArgumentsBlocked,
    LedgerUnavailableBlocked,
    PathViolation,
    PolicyViolation,
    RateLimitExceeded,
    ValidationBlocked,
)
from .ledger.accounts import Refusal, Unit
from .money import format_usd

__all__ = [
    "AirlockResponse",
    "BlockReason",
    "BlockedResult",
    "handle_blocked",
    "handle_budget_exceeded",
    "handle_capability_denied",
    "handle_endpoint_blocked",
    "handle_ghost_arguments",
    "handle_ledger_unavailable",
    "handle_path_violation",
    "handle_policy_violation",
    "handle_rate_limit",
    "handle_validation_error",
    "respond",
]

PREFIX: Final = "AIRLOCK_BLOCK: "
_SHARED: Final = ("global", "team:", "workspace:")
"""Scopes that are not the caller's own: a model learns cause and reset alone, not the company's spend."""


class BlockedResult(TypedDict):
    """A blocked call, as a dict."""

    success: Literal[False]
    status: Literal["blocked"]
    error: str
    block_reason: str
    fix_hints: list[str]
    metadata: dict[str, Any]
    warnings: NotRequired[list[str]]


@dataclass(frozen=True, slots=True)
class AirlockResponse:
    """What the gate answers, for a model to read."""

    success: bool
    status: Literal["ok", "blocked"]
    result: Any = field(default=None, repr=False)
    error: str | None = None
    block_reason: BlockReason | None = None
    fix_hints: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def success_response(
        cls, result: Any, *, metadata: Mapping[str, Any] | None = None, warnings: tuple[str, ...] = ()
    ) -> AirlockResponse:
        """A call that ran."""
        return cls(True, "ok", result=result, metadata=dict(metadata or {}), warnings=warnings)

    @classmethod
    def blocked_response(
        cls,
        error: str,
        reason: BlockReason,
        *,
        fix_hints: tuple[str, ...] = (),
        metadata: Mapping[str, Any] | None = None,
    ) -> AirlockResponse:
        """A call that did not."""
        return cls(
            False,
            "blocked",
            error=error if error.startswith(PREFIX) else PREFIX + error,
            block_reason=reason,
            fix_hints=fix_hints,
            metadata=dict(metadata or {}),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values: a success has ``result``; a block has ``error``, ``block_reason`` and ``fix_hints``."""
        answer: dict[str, Any] = {"success": self.success, "status": self.status}
        if self.success:
            answer["result"] = self.result
        else:
            answer["error"] = self.error
            answer["block_reason"] = self.block_reason.value if self.block_reason else None
            answer["fix_hints"] = list(self.fix_hints)
        answer["metadata"] = dict(self.metadata)
        if self.warnings:
            answer["warnings"] = list(self.warnings)
        return answer


def respond(tool: str, block: AirlockBlocked, *, explain: str = "scoped") -> AirlockResponse:
    """The response to any block."""
    if isinstance(block, BudgetExceededError):
        return handle_budget_exceeded(tool, block, explain=explain)
    if isinstance(block, RateLimitExceeded):
        return handle_rate_limit(tool, block)
    return handle_blocked(tool, block)


def handle_blocked(tool: str, error: AirlockBlocked) -> AirlockResponse:
    """A block, in its own words: what, why and what would pass."""
    metadata = {"tool": tool, **error.to_block_metadata()}
    hints = error.hints or ("Call it with other arguments, or ask the operator to change the policy.",)
    # The first hint stands in the text too: some agents show a model nothing but the text.
    return AirlockResponse.blocked_response(
        _sentences(_said(tool, error.message), hints[0]), error.reason, fix_hints=hints, metadata=metadata
    )


def handle_ghost_arguments(tool: str, error: GhostArgumentsBlocked) -> AirlockResponse:
    """An argument that the function does not have."""
    return handle_blocked(tool, error)


def handle_validation_error(tool: str, error: ValidationBlocked) -> AirlockResponse:
    """An argument, or a tag, that its type does not allow."""
    return handle_blocked(tool, error)


def handle_policy_violation(tool: str, error: PolicyViolation) -> AirlockResponse:
    """A call that the policy does not allow."""
    return handle_blocked(tool, error)


def handle_capability_denied(tool: str, error: CapabilityDenied) -> AirlockResponse:
    """A capability that the policy does not grant."""
    return handle_blocked(tool, error)


def handle_path_violation(tool: str, error: PathViolation) -> AirlockResponse:
    """A path that leads out of what is allowed."""
    return handle_blocked(tool, error)


def handle_endpoint_blocked(tool: str, error: EndpointBlocked) -> AirlockResponse:
    """A URL that leads where it may not."""
    return handle_blocked(tool, error)


def handle_rate_limit(tool: str, error: RateLimitExceeded) -> AirlockResponse:
    """A call that comes too soon."""
    metadata = {"tool": tool, "pattern": error.pattern, "refusal": _refusal_facts(error.refusal, told=True)}
    hints = (*error.hints, *_refusal_hints(error.refusal, told=False))
    return AirlockResponse.blocked_response(
        _sentences(_said(tool, error.message), hints[0]), error.reason, fix_hints=hints, metadata=metadata
    )


def handle_ledger_unavailable(tool: str, error: LedgerUnavailableBlocked) -> AirlockResponse:
    """A ledger that did not answer: nothing may be spent."""
    return handle_blocked(tool, error)


def handle_budget_exceeded(tool: str, error: BudgetExceededError, *, explain: str = "scoped") -> AirlockResponse:
    """A call whose worst case does not fit. Figures of shared accounts are told with ``explain="all"`` alone."""
    refusal = error.refusal if isinstance(error, AirlockBudgetExceeded) else None
    metadata = {"tool": tool, **error.to_block_metadata()}
    hints = error.hints
    if refusal is not None:
        told = explain == "all" or not refusal.account.scope.startswith(_SHARED)
        metadata["refusal"] = _refusal_facts(refusal, told)
        hints = (*hints, *_refusal_hints(refusal, told))
    hints = hints or ("Ask the operator to raise the budget.",)
    return AirlockResponse.blocked_response(
        _sentences(_said(tool, error.message), hints[0]), error.reason, fix_hints=hints, metadata=metadata
    )


def _said(tool: str, message: str) -> str:
    """What happened to which tool: a message that does not begin with the tool's name is a reason."""
    return message if re.match(rf"{re.escape(tool)}\b", message) else f"{tool} may not run: {message}"


def _sentences(*parts: str) -> str:
    said = ""
    for part in parts:
        sentence = part if part.endswith((".", "?", "!")) else f"{part}."
        if sentence.casefold().rstrip(".?!") not in said.casefold():
            said = f"{said} {sentence}".lstrip()
    return said


def _refusal_facts(refusal: Refusal, told: bool) -> dict[str, Any]:
    account = refusal.account
    facts: dict[str, Any] = {
        "scope": account.scope,
        "window": account.window,
        "unit": account.unit.value,
        "cause": refusal.cause,
        "resets_at": _instant(refusal.resets_ms),
    }
    if told:
        amounts = {
            "limit": refusal.limit,
            "settled": refusal.settled,
            "presumed": refusal.presumed,
            "held": refusal.held,
            "asked": refusal.asked,
            "fits": refusal.fits[account.unit],
        }
        facts |= {name: _shown(account.unit, amount) for name, amount in amounts.items()}
    return facts


def _refusal_hints(refusal: Refusal, told: bool) -> list[str]:
    hints: list[str] = []
    if "session:-" in refusal.account.scope.split("+"):
        hints.append("Calls without a session share one account: name one with AirlockContext(session_id=…).")
    unit = refusal.account.unit
    fits = refusal.fits[unit]
    if told and fits:
        hints.append(f"A call of at most {_shown(unit, fits)} fits now.")
    if refusal.cause == "held":
        hints.append("Other calls hold what is missing: try again when they have ended.")
    if refusal.resets_ms is not None:
        hints.append(f"The budget begins anew at {_instant(refusal.resets_ms)}.")
    elif refusal.asked > refusal.limit:
        hints.append("No call this large ever fits: make it smaller, or ask the operator to raise the budget.")
    elif refusal.cause == "spent":
        hints.append("What is spent does not come back: end the work, or ask the operator to raise the budget.")
    return hints


def _shown(unit: Unit, amount: int) -> str:
    return format_usd(amount) if unit is Unit.USD else f"{amount} {unit.value}"


def _instant(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
