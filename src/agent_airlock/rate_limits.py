"""Rate limits: how many calls of the tools that a pattern names an agent may make in a window."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from .checks.modes import Mode, check_mode
from .ledger.accounts import Unit
from .money import MAX_AMOUNT
from .scopes import encode_value

_WRITTEN: Final = re.compile(r"\s*([0-9][0-9_]{0,20})\s*/\s*(second|minute|hour|day)\s*")


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most ``calls`` in each ``window``, for each agent; calls that name no agent share one count.

    ``RateLimit.parse("100/hour")``, or that text alone where a policy takes a rate limit. Windows are fixed: across
    a boundary at most twice as many pass. It is counted on the gate's ledger, in the call's one reserve.

    Args:
        calls: how many.
        window: ``second minute hour day``, in UTC.
        mode: ``"observe"`` counts and tells what it would block.

    Raises:
        ValueError: naming the field, the value and what is allowed.
    """

    calls: int
    window: str
    mode: Mode = "enforce"
    unit: Unit = field(default=Unit.CALLS, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if type(self.calls) is not int or not 0 <= self.calls <= MAX_AMOUNT:
            raise ValueError(f"RateLimit.calls must be a non-negative whole number, not {self.calls!r}")
        if self.window not in ("second", "minute", "hour", "day"):
            raise ValueError(f"RateLimit.window must be second, minute, hour or day, not {self.window!r}")
        check_mode(self.mode, "RateLimit.mode")

    @classmethod
    def parse(cls, limit: object) -> RateLimit:
        """``"100/hour"``, or a rate limit as it is.

        Raises:
            ValueError: anything else.
        """
        if isinstance(limit, cls):
            return limit
        match = _WRITTEN.fullmatch(limit) if isinstance(limit, str) else None
        if match is None:
            raise ValueError(f"a rate limit must be like '100/hour', by second, minute, hour or day, not {limit!r}")
        return cls(int(match[1].replace("_", "")), match[2])

    def canonical(self) -> list[Any]:
        """The limit as plain values, the same for every way to write it."""
        return [self.calls, self.window, self.mode]

    def __str__(self) -> str:
        return f"{self.calls}/{self.window}"


def rate_scope(pattern: str, agent_id: str | None) -> str:
    """The scope of an agent's account: apart from those of budgets, and injective in both."""
    return f"rate:{encode_value(pattern)}+agent:{encode_value(agent_id)}"
