"""How a gate answers, apart from what it allows: ``AirlockConfig``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .checks.modes import UnknownArgsMode
from .events import Listener


@dataclass(frozen=True, slots=True)
class AirlockConfig:
    """How a gate answers.

    Args:
        unknown_args: what happens to arguments that the function does not have.
        on_blocked: called with the ``AirlockResponse`` of each blocked call.
        on_validation_error: called with the ``AirlockResponse`` of a call blocked for its arguments.
        on_event: called with each :class:`~agent_airlock.events.Event`.

    What a callback raises is logged and changes nothing.

    Raises:
        ValueError, TypeError: naming the field, the value and what is allowed.
    """

    unknown_args: UnknownArgsMode = UnknownArgsMode.BLOCK
    on_blocked: Callable[[Any], object] | None = None
    on_validation_error: Callable[[Any], object] | None = None
    on_event: Listener | None = None

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "unknown_args", UnknownArgsMode(self.unknown_args))
        except ValueError:
            modes = ", ".join(UnknownArgsMode)
            raise ValueError(f"AirlockConfig.unknown_args must be one of {modes}, not {self.unknown_args!r}") from None
        for name in ("on_blocked", "on_validation_error", "on_event"):
            callback = getattr(self, name)
            if callback is not None and not callable(callback):
                raise TypeError(f"AirlockConfig.{name} must be callable or None, not {callback!r}")
