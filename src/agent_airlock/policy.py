"""What is allowed, and how much of it: ``SecurityPolicy``, its freezing and its digest."""

from __future__ import annotations

import copy
import dataclasses
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from .budgets import Budget
from .checks.access import check_access
from .checks.hours import TimeWindow
from .checks.modes import Mode
from .context import AnyContext
from .cost import Pricer
from .durations import Duration, parse_duration
from .exceptions import PolicyMutationError
from .freezing import frozen, thawed
from .identity import AgentIdentity
from .money import USDLike
from .policy_fields import CONTAINERS, READERS, canonical, check_prices, digest_of
from .rate_limits import RateLimit
from .tiers import BudgetEstimate, ModelTierBudget

if TYPE_CHECKING:
    from .checks.capabilities import CapabilityPolicy

__all__ = ["AgentIdentity", "RateLimit", "SecurityPolicy", "TimeWindow"]

DIGEST_SCHEMA: Final = 1
"""Part of every digest; it rises when the meaning of a field changes."""

DEFAULT_LEASE: Final = "10 min"


@dataclass(eq=False)
class SecurityPolicy:
    """What calls are allowed and what they may spend.

    Args:
        allowed_tools, denied_tools: globs of tool names; denied beats allowed; an empty ``allowed_tools`` allows
            all tools, or none with ``default_deny``.
        allowed_roles: one of these must be among the current context's roles; empty asks for none.
        require_agent_id: only calls of a named agent.
        time_restrictions: glob of tool names → hours of the day, ``"09:00-17:00"`` (UTC) or ``"09:00-17:00
            Europe/Berlin"``; every pattern that matches a tool must be open, by the ledger's time.
        rate_limits: glob of tool names → ``"100/hour"``: calls of each agent in a window, all tools of the pattern
            together; every pattern that matches must have room.
        capability_policy: what functions marked with ``@requires(…)`` may do.
        model_tier_budget: caps for one call of each tier.
        budgets: limits over scopes in windows; all that apply must have room.
        prices: prices of your own, by model, in USD per million tokens: ``{"input": 3, "output": 12,
            "context_window": 128_000, "max_output": 16_000}``; they come before the shipped ones and the tracker's.
        model_aliases: the name that calls use → the model that it means, everywhere.
        lease: how long a call's holds stand before they are presumed spent: longer than any call.
        tags: ``"caller"`` reads the ``_airlock_*`` keywords of the caller's code; ``"context"`` reads contexts only,
            for functions that a framework calls with a model's arguments.
        on_unknown_usage: what a model call that reports no usable usage is booked at: its estimate, or nothing.
        explain: what a block tells a model of accounts that are not its own (``global``, ``team``, ``workspace``):
            ``"scoped"`` cause and reset alone, ``"all"`` figures too.
        mode: ``"observe"`` blocks nothing: every check of the gate, its config's too, counts and tells what it would
            block. (The caps of a ``CostTracker`` are not the policy's, and stay.)
        access_mode: the same for tools, roles, agents and hours alone.

    A policy may be changed until it is frozen; a change is in force at the next call.

    Raises:
        ValueError, TypeError: naming the field, the value and what is allowed.
    """

    allowed_tools: Sequence[str] = field(default_factory=list[str])
    denied_tools: Sequence[str] = field(default_factory=list[str])
    allowed_roles: Sequence[str] = field(default_factory=list[str])
    require_agent_id: bool = False
    default_deny: bool = False
    time_restrictions: Mapping[str, TimeWindow | str] = field(default_factory=dict[str, TimeWindow | str])
    rate_limits: Mapping[str, RateLimit | str] = field(default_factory=dict[str, RateLimit | str])
    capability_policy: CapabilityPolicy | None = None
    model_tier_budget: ModelTierBudget | None = None
    budgets: Sequence[Budget] = field(default_factory=list[Budget])
    prices: Mapping[str, Mapping[str, USDLike | int]] = field(default_factory=dict[str, Mapping[str, USDLike | int]])
    model_aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    lease: Duration = DEFAULT_LEASE
    tags: Literal["caller", "context"] = "caller"
    on_unknown_usage: Literal["estimate", "release"] = "estimate"
    explain: Literal["scoped", "all"] = "scoped"
    mode: Mode = "enforce"
    access_mode: Mode = "enforce"

    def __setattr__(self, name: str, value: Any) -> None:
        if self.is_frozen():
            raise PolicyMutationError(f"a frozen policy cannot be changed ({name})")
        reader = READERS.get(name)
        if reader is None:
            raise AttributeError(f"SecurityPolicy has no field {name!r}")
        value = reader(name, value)
        if name in ("prices", "model_aliases") and value:
            check_prices({**self.__dict__, name: value})
        object.__setattr__(self, name, value)
        object.__setattr__(self, _CHANGES, self.__dict__.get(_CHANGES, 0) + 1)

    def __delattr__(self, name: str) -> None:
        raise PolicyMutationError(f"a field of a policy cannot be deleted ({name})")

    def __eq__(self, other: object) -> bool:
        # A payload says only whether there is a resolver; two policies with different ones are not equal.
        return (
            isinstance(other, SecurityPolicy)
            and self._payload() == other._payload()
            and self.model_tier_budget == other.model_tier_budget
        )

    __hash__ = object.__hash__

    @property
    def lease_ms(self) -> int:
        """The lease in milliseconds."""
        return parse_duration(self.lease, "SecurityPolicy.lease")

    # --- checks ------------------------------------------------------------------------------------------

    def check(
        self, tool: str, agent: AnyContext | AgentIdentity | str | None = None, *, at: datetime | None = None
    ) -> None:
        """Whether ``agent`` (a context, an identity, or an agent's id) may call ``tool`` now, or ``at`` another time.

        It asks nothing of rates and budgets, and answers the same in ``mode="observe"``.

        Raises:
            PolicyViolation: it may not.
        """
        now_ms = int((time.time() if at is None else at.timestamp()) * 1_000)
        if agent is None or isinstance(agent, str):
            check_access(self, tool, agent_id=agent, roles=(), now_ms=now_ms)
        else:
            check_access(self, tool, agent_id=agent.agent_id, roles=agent.roles, now_ms=now_ms)

    def check_model_tier_budget(
        self,
        *,
        tier_label: str | None,
        input_tokens: int,
        cost_tracker: Pricer,
        model_id: str | None = None,
    ) -> BudgetEstimate | None:
        """``model_tier_budget.check_pre_execute``, or None where there is none.

        Raises:
            AirlockBudgetExceeded, UnknownTierError, UnpricedCall, ValueError: as that does.
        """
        if self.model_tier_budget is None:
            return None
        return self.model_tier_budget.check_pre_execute(
            tier_label=tier_label, input_tokens=input_tokens, cost_tracker=cost_tracker, model_id=model_id
        )

    # --- files -------------------------------------------------------------------------------------------

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> SecurityPolicy:
        """The policy of an ``airlock.toml``.

        Raises:
            PolicyFileError: the file is not one; it says where and why.
            OSError: it cannot be read.
        """
        from .policy_file import load_policy

        return load_policy(path).policy

    def to_toml(self) -> str:
        """The policy as an ``airlock.toml`` that reads back equal.

        Raises:
            ValueError: it has a ``tier_resolver``: what a function does has no text.
            ImportError: the extra ``cli`` is not installed.
        """
        from .policy_writer import policy_text

        return policy_text(self)

    # --- changes -----------------------------------------------------------------------------------------

    def snapshot(self) -> tuple[Any, ...]:
        """What the policy says now, for :meth:`says`."""
        values = self.__dict__
        return values[_CHANGES], *[thawed(values[name]) for name in CONTAINERS]

    def says(self, snapshot: tuple[Any, ...]) -> bool:
        """Whether it has not changed since: no field was set, and no list or mapping in one grew, shrank or moved."""
        values = self.__dict__
        # Written out: it stands in the way of every call under a policy that is not frozen.
        same: bool = (
            values[_CHANGES] == snapshot[0]
            and values["allowed_tools"] == snapshot[1]
            and values["denied_tools"] == snapshot[2]
            and values["allowed_roles"] == snapshot[3]
            and values["budgets"] == snapshot[4]
            and values["time_restrictions"] == snapshot[5]
            and values["rate_limits"] == snapshot[6]
            and values["prices"] == snapshot[7]
            and values["model_aliases"] == snapshot[8]
        )
        return same

    # --- freezing ----------------------------------------------------------------------------------------

    def freeze(self) -> SecurityPolicy:
        """A copy that cannot change. It carries the same budget objects; it pickles and deep-copies."""
        copied = copy.copy(self)
        for name in CONTAINERS:
            object.__setattr__(copied, name, frozen(getattr(self, name)))
        object.__setattr__(copied, _FROZEN, True)
        object.__setattr__(copied, _DIGEST, copied._compute_digest())
        return copied

    def is_frozen(self) -> bool:
        return bool(self.__dict__.get(_FROZEN))

    def __copy__(self) -> SecurityPolicy:
        return self._copied((lambda value: value) if self.is_frozen() else thawed)

    def __deepcopy__(self, memo: dict[int, Any]) -> SecurityPolicy:
        def deep(value: Any) -> Any:
            return copy.deepcopy(value, memo)

        return self._copied(deep)

    def _copied(self, copier: Callable[[Any], Any]) -> SecurityPolicy:
        other = object.__new__(type(self))
        for name, value in self.__dict__.items():
            object.__setattr__(other, name, copier(value))
        return other

    @property
    def digest(self) -> str:
        """SHA-256 over a schema number and every public field, the same in every process.

        A ``tier_resolver`` counts as present or absent: what a function does has no digest.
        """
        return self._compute_digest()

    def verify_frozen(self, digest: str | None = None) -> None:
        """Prove that the policy is frozen, and still what it was when it was (or what ``digest`` says).

        Raises:
            PolicyMutationError: it is not.
        """
        if not self.is_frozen():
            raise PolicyMutationError("the policy is not frozen")
        expected = self.__dict__.get(_DIGEST) if digest is None else digest
        if self._compute_digest() != expected:
            raise PolicyMutationError("the policy is not the one that the digest was taken of")

    def _compute_digest(self) -> str:
        return digest_of({"schema": DIGEST_SCHEMA, **self._payload()})

    def _payload(self) -> dict[str, Any]:
        return {item.name: canonical(item.name, getattr(self, item.name)) for item in dataclasses.fields(self)}


_FROZEN: Final = "_frozen"
_DIGEST: Final = "_digest"
_CHANGES: Final = "_changes"
