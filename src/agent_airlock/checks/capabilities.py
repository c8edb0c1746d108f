"""Which capabilities a function needs, and which of them a policy grants to whom."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Flag, auto
from types import MethodType
from typing import Any, Final, TypeVar, cast

from ..exceptions import CapabilityDenied
from ..values import shown
from .access import matches
from .modes import Mode, check_mode

_F = TypeVar("_F")
_MARK: Final = "__airlock_requires__"
_MAX_LAYERS: Final = 100


class Capability(Flag):
    """What a function may do to the world. Each stands for itself: none of the single ones includes another."""

    NONE = 0
    FILESYSTEM_READ = auto()
    FILESYSTEM_WRITE = auto()
    FILESYSTEM_DELETE = auto()
    NETWORK_HTTP = auto()
    """Requests over HTTP."""
    NETWORK_ARBITRARY = auto()
    """Anything else that is sent or listened to: sockets, mail, name look-ups."""
    PROCESS_EXEC = auto()
    """Start a program, its arguments given one by one."""
    PROCESS_SHELL = auto()
    """Run a text as a command of a shell, or as code."""
    DATA_PII = auto()
    """See data about persons."""
    DATA_SECRETS = auto()
    """See keys, passwords and tokens."""
    DATABASE_READ = auto()
    DATABASE_WRITE = auto()

    FILESYSTEM = FILESYSTEM_READ | FILESYSTEM_WRITE | FILESYSTEM_DELETE
    NETWORK = NETWORK_HTTP | NETWORK_ARBITRARY
    PROCESS = PROCESS_EXEC | PROCESS_SHELL
    DATA = DATA_PII | DATA_SECRETS
    DATABASE = DATABASE_READ | DATABASE_WRITE
    READ_ONLY = FILESYSTEM_READ | DATABASE_READ
    ALL = FILESYSTEM | NETWORK | PROCESS | DATA | DATABASE

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its single capabilities, sorted."""
        return tuple(sorted(str(member.name) for member in self))

    @classmethod
    def parse(cls, names: Capability | str | Iterable[str]) -> Capability:
        """The union of capabilities by name, each in lower or in upper case: ``["filesystem_read", "network"]``.

        Raises:
            ValueError: a name that is none; it tells the nearest that is.
        """
        if isinstance(names, Capability):
            return names
        united = cls.NONE
        for name in [names] if isinstance(names, str) else names:
            united |= cls._named(name)
        return united

    @classmethod
    def _named(cls, name: object) -> Capability:
        known = {**cls.__members__, **{name.lower(): member for name, member in cls.__members__.items()}}
        if isinstance(name, str) and name in known:
            return known[name]
        import difflib

        near = difflib.get_close_matches(name[:80].lower(), known, 1) if isinstance(name, str) else []
        said = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(one.lower() for one in cls.__members__)}"
        raise ValueError(f"no capability is called {shown(name)}; {said}")


_NONE: Final = Capability.NONE  # an attribute of an Enum class costs 70 ns before Python 3.12


# --- what a function needs -------------------------------------------------------------------------------


def requires(*needed: Capability) -> Callable[[_F], _F]:
    """Mark a function as one that needs capabilities; several marks unite.

    It marks what it is given and all that this wraps (``__wrapped__``, the function of a method, of a classmethod or
    of a staticmethod), so that it counts above ``@Airlock`` and below it. A partial is marked for itself alone: two
    partials of one function may need different things.

    Raises:
        TypeError: no capability is given, or what is marked is no function, or can hold no mark (a builtin).
    """
    if not needed or not all(isinstance(one, Capability) for one in needed):
        raise TypeError(f"requires takes at least one Capability, @requires(Capability.…), not {shown(needed)}")
    united = functools.reduce(Capability.__or__, needed)

    def mark(function: _F) -> _F:
        _mark(function, united)
        return function

    return mark


def _mark(function: object, needed: Capability) -> None:
    if not callable(function) and not _is_descriptor(function):
        raise TypeError(f"requires marks a function, not {shown(function)}")
    marked = False
    for layer in _layers(function, _wrapped):
        try:
            setattr(layer, _MARK, _marked(layer) | needed)
            marked = True
        except (AttributeError, TypeError):
            continue  # a bound method, a builtin: they hold no attributes
    if not marked:
        raise TypeError(f"requires cannot mark {shown(function)}: wrap it in a function and mark that")


def required_by(function: Callable[..., Any]) -> Capability:
    """All that a function was marked with: itself, what it wraps, and what a partial or an object calls."""
    return functools.reduce(Capability.__or__, map(_marked, _layers(function, _called)), Capability.NONE)


def _marked(layer: object) -> Capability:
    mark = getattr(layer, _MARK, None)
    return mark if isinstance(mark, Capability) else Capability.NONE


def _layers(function: object, inner: Callable[[object], Iterable[object]]) -> list[object]:
    """The function and what is in it, outermost first."""
    found: list[object] = []
    waiting = [function]
    while waiting:
        layer = waiting.pop(0)
        if any(layer is other for other in found):
            continue
        if len(found) == _MAX_LAYERS:
            raise TypeError(f"{shown(function)} is wrapped more than {_MAX_LAYERS} times")
        found.append(layer)
        waiting += [part for part in inner(layer) if part is not None]
    return found


def _wrapped(layer: object) -> Iterable[object]:
    if isinstance(layer, MethodType) or _is_descriptor(layer):
        yield cast("Any", layer).__func__
    yield getattr(layer, "__wrapped__", None)


def _is_descriptor(layer: object) -> bool:
    return isinstance(layer, (classmethod, staticmethod))


def _called(layer: object) -> Iterable[object]:
    yield from _wrapped(layer)
    if isinstance(layer, (functools.partial, functools.partialmethod)):
        yield cast("Any", layer).func
    elif isinstance(layer, type):
        yield cast("Any", layer).__init__
    elif not inspect.isroutine(layer):
        yield getattr(type(layer), "__call__", None)  # noqa: B004  (an object's own kind of call)


# --- what a policy grants --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ModelCapabilityTier:
    """Which capabilities calls of some models may use, at most. Nothing to do with tiers of cost.

    Args:
        models: globs of model ids (``claude-*``), case-sensitive.
        granted: what the policy grants and this names is what such a call has.
        denied: what such a call never has.

    Raises:
        ValueError, TypeError: naming the field, the value and what is allowed.
    """

    models: Sequence[str]
    granted: Capability
    denied: Capability = _NONE
    allowed: int = field(init=False, repr=False, compare=False)
    """The bits of what is granted and not denied."""

    def __post_init__(self) -> None:
        models: object = self.models
        if isinstance(models, str) or not isinstance(models, Sequence):
            raise TypeError(f"ModelCapabilityTier.models must be a list of globs of model ids, not {shown(models)}")
        globs = tuple(cast("Sequence[object]", models))
        if not globs or not all(isinstance(glob, str) and glob for glob in globs):
            raise ValueError(f"ModelCapabilityTier.models must be at least one glob of model ids, not {shown(models)}")
        object.__setattr__(self, "models", globs)
        object.__setattr__(self, "allowed", _allowed(self))

    def canonical(self) -> dict[str, Any]:
        """The tier as plain values, the same for every way to write it."""
        return {"models": sorted(set(self.models)), **_canonical(self)}


@dataclass(frozen=True, slots=True)
class CapabilityPolicy:
    """What functions may need. Denied beats granted, and a union in ``denied`` denies each of its parts.

    Args:
        granted: all that any call has.
        denied: what no call has.
        model_tier: one tier or several, of which the first that matches the call's model decides. With any, a call
            whose model matches none has no capability, nor has one that names no model, not even with the glob ``*``.
        mode: ``"observe"`` counts and tells what it would block.

    Raises:
        ValueError, TypeError: naming the field, the value and what is allowed.
    """

    granted: Capability
    denied: Capability = _NONE
    model_tier: ModelCapabilityTier | Sequence[ModelCapabilityTier] | None = None
    mode: Mode = "enforce"
    tiers: tuple[ModelCapabilityTier, ...] = field(init=False, repr=False, compare=False)
    """``model_tier`` as a tuple."""
    allowed: int = field(init=False, repr=False, compare=False)
    """The bits of what is granted and not denied."""

    def __post_init__(self) -> None:
        check_mode(self.mode, "CapabilityPolicy.mode")
        given: object = self.model_tier
        tiers: tuple[ModelCapabilityTier, ...] = ()
        if given is not None:
            listed = [given] if isinstance(given, ModelCapabilityTier) else given
            if not isinstance(listed, Sequence) or not all(
                isinstance(tier, ModelCapabilityTier) for tier in cast("Sequence[object]", listed)
            ):
                raise TypeError(
                    f"CapabilityPolicy.model_tier must be ModelCapabilityTier, a list of them or None, not "
                    f"{shown(given)}"
                )
            tiers = tuple(cast("Sequence[ModelCapabilityTier]", listed))
            if not tiers:
                raise ValueError("CapabilityPolicy.model_tier must have at least one tier, or be None")
        object.__setattr__(self, "model_tier", tiers or None)  # so that one tier equals a list of it
        object.__setattr__(self, "tiers", tiers)
        object.__setattr__(self, "allowed", _allowed(self))

    def canonical(self) -> dict[str, Any]:
        """The policy as plain values, the same for every way to write it."""
        return {**_canonical(self), "model_tier": [tier.canonical() for tier in self.tiers], "mode": self.mode}

    def tier_of(self, model_id: str | None) -> ModelCapabilityTier | None:
        """The tier of a call's model, None where none is its."""
        if model_id is not None:
            for tier in self.tiers:
                for glob in tier.models:
                    if matches(model_id, glob):
                        return tier
        return None


def _canonical(rules: CapabilityPolicy | ModelCapabilityTier) -> dict[str, Any]:
    return {"granted": list(rules.granted.names), "denied": list(rules.denied.names)}


def _allowed(rules: CapabilityPolicy | ModelCapabilityTier) -> int:
    """The bits of what is granted and not denied: whole numbers, because ``&`` of two flags costs a microsecond."""
    for name in ("granted", "denied"):
        value = getattr(rules, name)
        if not isinstance(value, Capability):
            raise TypeError(f"{type(rules).__name__}.{name} must be a Capability, not {shown(value)}")
    return rules.granted.value & ~rules.denied.value


def check_capabilities(policy: CapabilityPolicy, tool: str, needed: Capability, model_id: str | None) -> None:
    """Whether a call of ``tool`` has what it needs. One that needs nothing passes always.

    Raises:
        CapabilityDenied: it has not.
    """
    if needed is _NONE:
        return
    allowed = policy.allowed
    if policy.tiers:
        tier = policy.tier_of(model_id)
        allowed = 0 if tier is None else allowed & tier.allowed
    missing = needed.value & ~allowed
    if missing:
        raise _denied(policy, tool, Capability(missing), model_id)


def _denied(policy: CapabilityPolicy, tool: str, missing: Capability, model_id: str | None) -> CapabilityDenied:
    denied = missing & policy.denied
    ungranted = missing & ~denied & ~policy.granted
    for_others = missing & ~denied & ~ungranted
    reasons = (
        (denied, "denied to every call", "Use a tool that needs no {}: it is never allowed here."),
        (ungranted, "not granted", "Ask the operator to grant {}, or use a tool that does not need it."),
        (for_others, *_for_others(model_id)),
    )
    said = [(", ".join(those.names), why, hint) for those, why, hint in reasons if those]
    return CapabilityDenied(
        f"{tool} needs what it may not use: " + "; ".join(f"{names} ({why})" for names, why, _ in said),
        missing=missing.names,
        hints=tuple(hint.format(names) for names, _, hint in said),
    )


def _for_others(model_id: str | None) -> tuple[str, str]:
    if model_id is None:
        return (
            "granted only to calls that name their model",
            "Name the model, such as with AirlockContext(metadata={{'model_id': …}}), to use {}.",
        )
    return "not granted to the model of this call", "Use a tool that does not need {}, or another model."
