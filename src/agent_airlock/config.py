"""How a gate answers, and what its functions may touch: ``AirlockConfig``."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from .checks.modes import Mode, UnknownArgsMode, check_mode
from .events import Listener
from .freezing import FrozenDict

if TYPE_CHECKING:
    from .checks.capabilities import CapabilityPolicy
    from .checks.endpoints import EndpointPolicy
    from .checks.filesystem import FilesystemPolicy

_CALLBACKS: Final = ("on_blocked", "on_validation_error", "on_rate_limit", "on_event")
_NAMES: Final = ("path_arguments", "url_arguments")


@dataclass(frozen=True, slots=True)
class AirlockConfig:
    """How a gate answers, and what its functions may touch.

    Args:
        unknown_args: what happens to arguments that the function does not have.
        arguments_mode: ``"observe"`` tells what the check of the arguments would block; such a call gets its
            arguments as they came.
        capability_policy: what functions marked with ``@requires(…)`` may do; where the ``SecurityPolicy`` has one
            too, both must grant.
        filesystem_policy: where the paths in arguments may lead.
        endpoint_policies: glob of tool names → where the URLs in their arguments may lead; every pattern that
            matches a tool must allow.
        path_arguments, url_arguments: names of arguments that are paths, or URLs; None for the usual names.
        on_blocked: called with the ``AirlockResponse`` of each blocked call.
        on_validation_error: called with the ``AirlockResponse`` of a call blocked for its arguments.
        on_rate_limit: called with the ``AirlockResponse`` of a call blocked for its rate.
        on_event: called with each :class:`~agent_airlock.events.Event`.

    What a callback raises is logged and changes nothing.

    Raises:
        ValueError, TypeError: naming the field, the value and what is allowed.
    """

    unknown_args: UnknownArgsMode = UnknownArgsMode.BLOCK
    arguments_mode: Mode = "enforce"
    capability_policy: CapabilityPolicy | None = None
    filesystem_policy: FilesystemPolicy | None = None
    endpoint_policies: Mapping[str, EndpointPolicy] = field(default_factory=FrozenDict)
    path_arguments: Sequence[str] | None = None
    url_arguments: Sequence[str] | None = None
    on_blocked: Callable[[Any], object] | None = None
    on_validation_error: Callable[[Any], object] | None = None
    on_rate_limit: Callable[[Any], object] | None = None
    on_event: Listener | None = None

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "unknown_args", UnknownArgsMode(self.unknown_args))
        except ValueError:
            modes = ", ".join(UnknownArgsMode)
            raise ValueError(f"AirlockConfig.unknown_args must be one of {modes}, not {self.unknown_args!r}") from None
        check_mode(self.arguments_mode, "AirlockConfig.arguments_mode")
        for name in _CALLBACKS:
            callback = getattr(self, name)
            if callback is not None and not callable(callback):
                raise TypeError(f"AirlockConfig.{name} must be callable or None, not {callback!r}")
        for name in _NAMES:
            object.__setattr__(self, name, _names(name, getattr(self, name)))
        object.__setattr__(self, "endpoint_policies", _policies(self.endpoint_policies))
        _check_kinds(self)

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> AirlockConfig:
        """The configuration of an ``airlock.toml``: its arguments, capabilities, paths and endpoints.

        Raises:
            PolicyFileError: the file is not one; it says where and why.
            OSError: it cannot be read.
        """
        from .policy_file import load_policy

        return load_policy(path).config

    def over(self, base: AirlockConfig) -> AirlockConfig:
        """This configuration, and what ``base`` says where this one says nothing."""
        mine = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        default = AirlockConfig()
        return dataclasses.replace(
            base, **{name: value for name, value in mine.items() if value != getattr(default, name)}
        )

    def canonical(self) -> dict[str, Any]:
        """What is allowed, as plain values for a digest. Callbacks are not part of it."""
        capabilities, paths = self.capability_policy, self.filesystem_policy
        return {
            "unknown_args": self.unknown_args.value,
            "arguments_mode": self.arguments_mode,
            "capability_policy": capabilities and capabilities.canonical(),
            "filesystem_policy": paths and paths.canonical(),
            "endpoint_policies": {tool: policy.canonical() for tool, policy in self.endpoint_policies.items()},
            "path_arguments": None if self.path_arguments is None else sorted(set(self.path_arguments)),
            "url_arguments": None if self.url_arguments is None else sorted(set(self.url_arguments)),
        }


def _names(name: str, value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = value
    if isinstance(names, (str, bytes)) or not all(isinstance(item, str) for item in names):
        raise TypeError(f"AirlockConfig.{name} must be a list of names or None, not {value!r}")
    return tuple(names)


def _policies(value: Any) -> Mapping[str, Any]:
    given = value
    if not isinstance(value, Mapping):
        raise TypeError(f"AirlockConfig.endpoint_policies must be a mapping of tools to EndpointPolicy, not {value!r}")
    policies: dict[str, Any] = dict(given)
    if policies:
        from .checks.endpoints import EndpointPolicy

        for tool, policy in policies.items():
            if not isinstance(tool, str) or not isinstance(policy, EndpointPolicy):
                raise TypeError(
                    f"AirlockConfig.endpoint_policies must map tools to EndpointPolicy, not {tool!r} to {policy!r}"
                )
    return FrozenDict(policies)


def _check_kinds(config: AirlockConfig) -> None:
    """Loads the module of a check only where a policy of it is set."""
    capabilities, paths = config.capability_policy, config.filesystem_policy
    if capabilities is not None:
        from .checks.capabilities import CapabilityPolicy

        if not isinstance(capabilities, CapabilityPolicy):
            raise TypeError(f"AirlockConfig.capability_policy must be a CapabilityPolicy or None, not {capabilities!r}")
    if paths is not None:
        from .checks.filesystem import FilesystemPolicy

        if not isinstance(paths, FilesystemPolicy):
            raise TypeError(f"AirlockConfig.filesystem_policy must be a FilesystemPolicy or None, not {paths!r}")
