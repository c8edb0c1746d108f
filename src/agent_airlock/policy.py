"""What is allowed, and how much of it: ``SecurityPolicy``, its freezing and its digest."""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal, Never, cast

from .budgets import Budget
from .checks.access import check_access
from .context import AnyContext
from .cost import Pricer
from .exceptions import PolicyMutationError
from .tiers import BudgetEstimate, ModelTierBudget

DIGEST_SCHEMA: Final = 1
"""Part of every digest; it rises when the meaning of a field changes."""

DEFAULT_LEASE: Final = "10 min"
MAX_LEASE_MS: Final = 7 * 86_400_000
_UNITS: Final = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}

Duration = str | int | float | timedelta


def parse_duration(value: Duration, what: str) -> int:
    """``"10 min"``, ``"30 s"``, a number of seconds or a ``timedelta``, as whole milliseconds.

    Raises:
        ValueError: anything else, nothing, or more than 7 days.
    """
    milliseconds = -1.0
    if isinstance(value, timedelta):
        milliseconds = value.total_seconds() * 1_000
    elif isinstance(value, str):
        match = re.fullmatch(r"\s*(\d{1,9})\s*(ms|s|min|h|d)\s*", value)
        milliseconds = int(match[1]) * _UNITS[match[2]] if match else -1
    elif not isinstance(value, bool) and isinstance(value, (int, float)):
        milliseconds = value * 1_000
    if not 1 <= milliseconds <= MAX_LEASE_MS:
        raise ValueError(f"{what} must be like '10 min', '30 s' or seconds, from 1 ms to 7 days, not {value!r}")
    return int(milliseconds)


class FrozenList(tuple[Any, ...]):
    """A tuple that says why it cannot be changed, and is equal to a list of the same items."""

    __slots__ = ()

    def _refuse(self, *args: object, **kwargs: object) -> Never:
        raise PolicyMutationError("a frozen policy cannot be changed; make a new one, or change one before freezing")

    append = extend = insert = remove = pop = clear = sort = reverse = _refuse
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (list, tuple)):
            return NotImplemented
        return tuple(self) == tuple(cast("Sequence[Any]", other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenList, (tuple(self),)


@dataclass(eq=False)
class SecurityPolicy:
    """What calls are allowed and what they may spend.

    Args:
        allowed_tools, denied_tools: globs of tool names; denied beats allowed; an empty ``allowed_tools`` allows
            all tools, or none with ``default_deny``.
        allowed_roles: one of these must be among the current context's roles; empty asks for none.
        require_agent_id: only calls of a named agent.
        model_tier_budget: caps for one call of each tier.
        budgets: limits over scopes in windows; all that apply must have room.
        lease: how long a call's holds stand before they are presumed spent: longer than any call.
        tags: ``"caller"`` reads the ``_airlock_*`` keywords of the caller's code; ``"context"`` reads contexts only,
            for functions that a framework calls with a model's arguments.
        on_unknown_usage: what a model call that reports no usable usage is booked at: its estimate, or nothing.
        explain: what a block tells a model of accounts that are not its own (``global``, ``team``, ``workspace``):
            ``"scoped"`` cause and reset alone, ``"all"`` figures too.

    A policy may be changed until it is frozen; a change is in force at the next call.

    Raises:
        ValueError, TypeError: naming the field, the value and what is allowed.
    """

    allowed_tools: Sequence[str] = field(default_factory=list[str])
    denied_tools: Sequence[str] = field(default_factory=list[str])
    allowed_roles: Sequence[str] = field(default_factory=list[str])
    require_agent_id: bool = False
    default_deny: bool = False
    model_tier_budget: ModelTierBudget | None = None
    budgets: Sequence[Budget] = field(default_factory=list[Budget])
    lease: Duration = DEFAULT_LEASE
    tags: Literal["caller", "context"] = "caller"
    on_unknown_usage: Literal["estimate", "release"] = "estimate"
    explain: Literal["scoped", "all"] = "scoped"

    def __setattr__(self, name: str, value: Any) -> None:
        if self.is_frozen():
            raise PolicyMutationError(f"a frozen policy cannot be changed ({name})")
        if name not in _CHECKS:
            raise AttributeError(f"SecurityPolicy has no field {name!r}")
        if name in _LISTS:
            value = _listed(name, value)
        _CHECKS[name](name, value)
        object.__setattr__(self, name, value)

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

    def check(self, tool: str, agent: AnyContext | str | None = None) -> None:
        """Whether ``agent`` (a context, or an agent's id) may call ``tool``. Asks nothing of budgets.

        Raises:
            PolicyViolation: it may not.
        """
        if agent is None or isinstance(agent, str):
            check_access(self, tool, agent_id=agent, roles=())
        else:
            check_access(self, tool, agent_id=agent.agent_id, roles=agent.roles)

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

    # --- freezing ----------------------------------------------------------------------------------------

    def freeze(self) -> SecurityPolicy:
        """A copy that cannot change. It carries the same budget objects; it pickles and deep-copies."""
        frozen = copy.copy(self)
        for name in _LISTS:
            object.__setattr__(frozen, name, FrozenList(getattr(self, name)))
        object.__setattr__(frozen, _FROZEN, True)
        object.__setattr__(frozen, _DIGEST, frozen._compute_digest())
        return frozen

    def is_frozen(self) -> bool:
        return bool(self.__dict__.get(_FROZEN))

    def __copy__(self) -> SecurityPolicy:
        def shallow(value: Any) -> Any:
            return value[:] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]

        return self._copied(shallow)

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
        import hashlib  # with json and OpenSSL a tenth of the package's import, and few processes take a digest
        import json

        payload = {"schema": DIGEST_SCHEMA, **self._payload()}
        text = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _payload(self) -> dict[str, Any]:
        return {item.name: _canonical(item.name, getattr(self, item.name)) for item in dataclasses.fields(self)}


_FROZEN: Final = "_frozen"
_DIGEST: Final = "_digest"
_LISTS: Final = ("allowed_tools", "denied_tools", "allowed_roles", "budgets")


def _canonical(name: str, value: Any) -> Any:
    """A field as plain values, the same for every way to write it."""
    if name == "lease":
        return parse_duration(value, name)
    if name == "budgets":
        return [budget.canonical() for budget in value]
    if isinstance(value, ModelTierBudget):
        return value.canonical_payload()
    if name in _LISTS:
        return sorted(set(value))  # globs and roles: any of them, in whatever order
    return value


def _listed(name: str, value: Any) -> list[Any]:
    """A list of its own, read once: an iterator would be empty at the second look, and empty allows all."""
    items = value
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise TypeError(f"SecurityPolicy.{name} must be a list, not {value!r}")
    return list(items)


def _texts(name: str, value: Any) -> None:
    if not all(isinstance(item, str) for item in value):
        raise TypeError(f"SecurityPolicy.{name} must be a list of texts, not {value!r}")


def _flag(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"SecurityPolicy.{name} must be True or False, not {value!r}")


def _budgets(name: str, value: Any) -> None:
    if not all(isinstance(item, Budget) for item in value):
        raise TypeError(f"SecurityPolicy.{name} must be a list of Budget, not {value!r}")


def _tier_budget(name: str, value: Any) -> None:
    if value is not None and not isinstance(value, ModelTierBudget):
        raise TypeError(f"SecurityPolicy.{name} must be a ModelTierBudget or None, not {value!r}")


def _duration(name: str, value: Any) -> None:
    parse_duration(value, f"SecurityPolicy.{name}")


def _one_of(*allowed: str) -> Any:
    def check(name: str, value: Any) -> None:
        if value not in allowed:
            raise ValueError(f"SecurityPolicy.{name} must be one of {', '.join(allowed)}, not {value!r}")

    return check


_CHECKS: Final = {
    "allowed_tools": _texts,
    "denied_tools": _texts,
    "allowed_roles": _texts,
    "require_agent_id": _flag,
    "default_deny": _flag,
    "model_tier_budget": _tier_budget,
    "budgets": _budgets,
    "lease": _duration,
    "tags": _one_of("caller", "context"),
    "on_unknown_usage": _one_of("estimate", "release"),
    "explain": _one_of("scoped", "all"),
}
