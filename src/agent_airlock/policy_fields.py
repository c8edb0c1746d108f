"""The fields of a ``SecurityPolicy``: what each takes, and each as plain values for a digest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from .budgets import Budget
from .checks.hours import TimeWindow
from .durations import parse_duration
from .freezing import thawed
from .rate_limits import RateLimit
from .tiers import ModelTierBudget

Reader = Callable[[str, Any], Any]
"""From a field's name and what a user set to what the policy keeps. Raises ``TypeError`` or ``ValueError``."""


def _listed(name: str, value: Any) -> list[Any]:
    """A list of its own, read once: an iterator would be empty at the second look, and empty allows all."""
    items = value
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise TypeError(f"SecurityPolicy.{name} must be a list, not {value!r}")
    return list(items)


def _texts(name: str, value: Any) -> list[str]:
    items = _listed(name, value)
    if not all(isinstance(item, str) for item in items):
        raise TypeError(f"SecurityPolicy.{name} must be a list of texts, not {value!r}")
    return items


def _budgets(name: str, value: Any) -> list[Budget]:
    items = _listed(name, value)
    if not all(isinstance(item, Budget) for item in items):
        raise TypeError(f"SecurityPolicy.{name} must be a list of Budget, not {value!r}")
    return items


def _mapped(read: Callable[[Any], Any]) -> Reader:
    """A dict of its own, from texts to what ``read`` makes of the values."""

    def reader(name: str, value: Any) -> dict[str, Any]:
        given = value
        if not isinstance(value, Mapping):
            raise TypeError(f"SecurityPolicy.{name} must be a mapping, not {value!r}")
        kept: dict[str, Any] = {}
        for key, item in given.items():
            if not isinstance(key, str) or not key:
                raise TypeError(f"SecurityPolicy.{name} must have texts as keys, not {key!r}")
            try:
                kept[key] = read(item)
            except ValueError as error:
                raise ValueError(f"SecurityPolicy.{name}[{key!r}]: {error}") from None
        return kept

    return reader


def _time_window(value: Any) -> TimeWindow:
    return value if isinstance(value, TimeWindow) else TimeWindow.parse(value)


def check_prices(fields: Mapping[str, Any]) -> None:
    """Whether a policy's own prices and its names of models fit together.

    Raises:
        TypeError, ValueError: naming the row, the key, the value and what is allowed.
    """
    from .policy_prices import PolicyPrices  # few policies have prices of their own

    PolicyPrices(fields.get("prices", {}), fields.get("model_aliases", {}))


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"SecurityPolicy.{name} must be True or False, not {value!r}")
    return value


def _tier_budget(name: str, value: Any) -> ModelTierBudget | None:
    if value is not None and not isinstance(value, ModelTierBudget):
        raise TypeError(f"SecurityPolicy.{name} must be a ModelTierBudget or None, not {value!r}")
    return value


def _capabilities(name: str, value: Any) -> Any:
    if value is None:
        return None
    from .checks.capabilities import CapabilityPolicy

    if not isinstance(value, CapabilityPolicy):
        raise TypeError(f"SecurityPolicy.{name} must be a CapabilityPolicy or None, not {value!r}")
    return value


def _duration(name: str, value: Any) -> Any:
    parse_duration(value, f"SecurityPolicy.{name}")
    return value


def _one_of(*allowed: str) -> Reader:
    def reader(name: str, value: Any) -> Any:
        if value not in allowed:
            raise ValueError(f"SecurityPolicy.{name} must be one of {', '.join(allowed)}, not {value!r}")
        return value

    return reader


READERS: Final[Mapping[str, Reader]] = {
    "allowed_tools": _texts,
    "denied_tools": _texts,
    "allowed_roles": _texts,
    "require_agent_id": _flag,
    "default_deny": _flag,
    "time_restrictions": _mapped(_time_window),
    "rate_limits": _mapped(RateLimit.parse),
    "capability_policy": _capabilities,
    "model_tier_budget": _tier_budget,
    "budgets": _budgets,
    "prices": _mapped(thawed),
    "model_aliases": _mapped(lambda alias: alias),
    "lease": _duration,
    "tags": _one_of("caller", "context"),
    "on_unknown_usage": _one_of("estimate", "release"),
    "explain": _one_of("scoped", "all"),
    "mode": _one_of("enforce", "observe"),
    "access_mode": _one_of("enforce", "observe"),
}
"""Every field of ``SecurityPolicy``."""

CONTAINERS: Final = (
    "allowed_tools", "denied_tools", "allowed_roles", "budgets", "time_restrictions", "rate_limits", "prices",
    "model_aliases",
)  # fmt: skip
"""Those whose value can change without being set."""
_SETS: Final = frozenset(("allowed_tools", "denied_tools", "allowed_roles"))


def canonical(name: str, value: Any) -> Any:
    """A field as plain values, the same for every way to write it."""
    if name == "lease":
        return parse_duration(value, name)
    if name == "budgets":
        return [budget.canonical() for budget in value]
    if name == "time_restrictions":
        return {pattern: str(_time_window(window)) for pattern, window in value.items()}
    if name == "rate_limits":
        return {pattern: RateLimit.parse(limit).canonical() for pattern, limit in value.items()}
    if name == "prices" and value:
        from .policy_prices import PolicyPrices

        return PolicyPrices(value, {}).canonical()
    if name in _SETS:
        return sorted(set(value))  # globs and roles: any of them, in whatever order
    if isinstance(value, ModelTierBudget):
        return value.canonical_payload()
    if name == "capability_policy" and value is not None:
        return value.canonical()
    return value


def digest_of(payload: Mapping[str, Any]) -> str:
    """SHA-256 of plain values, the same in every process and for every order of keys."""
    import hashlib  # with json and OpenSSL a tenth of the package's import, and few processes take a digest
    import json

    text = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
