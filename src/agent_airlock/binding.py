"""A function, its arguments and its tags, on their way to its gate; and the answers on their way back."""

from __future__ import annotations

import functools
import logging
import os
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal

from .call import NO_TAGS, Call, Tags
from .checking import Subject
from .checks.modes import UnknownArgsMode
from .config import AirlockConfig
from .context import EMPTY, AnyContext, ContextExtractor, get_current_context
from .cost import Cost
from .events import Event, EventKind, call_listener, log, tell
from .exceptions import AirlockBlocked, BlockReason
from .ledger import VARIABLE, default_ledger
from .ledger.commands import Book
from .observing import tell_would_block
from .policy import SecurityPolicy
from .policy_file import policy_of_environment
from .quote import Gate
from .self_heal import AirlockResponse, respond

if TYPE_CHECKING:
    from .checks.targets import Targets

PolicySource = SecurityPolicy | Callable[[AnyContext], SecurityPolicy]
OnBlock = Literal["return", "raise"]

_KEYWORDS: Final = ("_airlock_tier", "_airlock_model_id", "_airlock_input_tokens", "_airlock_max_output_tokens")
"""The gate's own keywords, in the order of the fields of ``Tags``."""
_TAGS: Final = frozenset(_KEYWORDS)


_MAX_GATES: Final = 8


class Switch:
    """Whether the gates of this process are off; for tests alone (``testing.airlock_off``)."""

    off = 0


SWITCH: Final = Switch()


class Binding:
    """A function, and what its gates are made of."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        in_loop: bool = False,
        policy: PolicySource | None,
        config: AirlockConfig | None,
        ledger: Book | None,
        cost: Cost | None,
        return_dict: bool,
        on_block: OnBlock,
        nothing_spent_on: tuple[type[BaseException], ...],
    ) -> None:
        self.function = function
        self.tool = _name(function)
        if policy is None and (loaded := policy_of_environment()) is not None:
            policy = loaded.policy
            config = loaded.config if config is None else config.over(loaded.config)
            ledger = ledger if ledger is not None or os.environ.get(VARIABLE) else loaded.ledger
        self.config = config or AirlockConfig()
        self.ledger: Book = _face(default_ledger() if ledger is None else ledger, in_loop)
        self.return_dict = return_dict
        self.on_block = on_block
        self._cost = cost
        self._nothing_spent_on = nothing_spent_on
        from .checks.arguments import ArgumentsCheck  # with pydantic: loaded when a function is gated, not before

        self._arguments = ArgumentsCheck(function)
        self.subject = Subject(self.tool, function, self._targets())
        self._policy: PolicySource = SecurityPolicy() if policy is None else policy
        # The gates of the last policies that a policy function answered, by the policy's id; a gate keeps its policy.
        self._gates: OrderedDict[int, Gate] = OrderedDict()
        self._gate = self._gate_of(self._policy) if isinstance(self._policy, SecurityPolicy) else None

    def _targets(self) -> Targets | None:
        """Where paths and URLs stand in the arguments; None where nothing is asked of them."""
        config = self.config
        if config.filesystem_policy is None and not config.endpoint_policies:
            return None
        from .checks.targets import Targets

        return Targets(self.function, path_names=config.path_arguments, url_names=config.url_arguments)

    def _gate_of(self, policy: SecurityPolicy) -> Gate:
        gate = self._gates.get(id(policy))
        if gate is None:
            gate = Gate(
                self.subject,
                policy,
                config=self.config,
                ledger=self.ledger,
                cost=self._cost,
                nothing_spent_on=self._nothing_spent_on,
            )
            self._gates[id(policy)] = gate
            if len(self._gates) > _MAX_GATES:
                self._gates.popitem(last=False)
        return gate

    def _gate_for(self, context: AnyContext) -> Gate:
        """The gate of a policy that is a function of the context."""
        assert not isinstance(self._policy, SecurityPolicy)  # noqa: S101  (it has a gate already)
        policy = self._policy(context)
        if not isinstance(policy, SecurityPolicy):
            raise TypeError(f"the policy of {self.tool} must answer a SecurityPolicy, not {type(policy).__name__}")
        return self._gate_of(policy)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Gate | None, Call]:
        """The call, its arguments checked, and the gate that it is for; None where gates are off.

        Raises:
            GhostArgumentsBlocked, ValidationBlocked: its arguments are not those of the function.
        """
        if SWITCH.off:
            _take_tags(kwargs)
            return None, Call(self.tool, args, kwargs, (), ())
        current = get_current_context()
        gate = self._gate or self._gate_for(current or EMPTY)
        given = ContextExtractor.extract(args, kwargs)
        contexts = tuple(context for context in (given, current) if context is not None)
        tags = NO_TAGS
        if kwargs and gate.policy.tags == "caller":
            tags = _take_tags(kwargs)
        raw = args, kwargs
        args, kwargs = self._checked(gate, args, kwargs)
        roles = current.roles if current is not None else ()
        named = self._arguments
        return gate, Call(self.tool, args, kwargs, named.positional, contexts, roles, named.rest, raw, tags)

    def _checked(
        self, gate: Gate, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments as the function will get them."""
        config = self.config
        if config.unknown_args is not UnknownArgsMode.BLOCK:
            kwargs = self._stripped(kwargs)
        try:
            return self._arguments.check(self.tool, args, kwargs)
        except AirlockBlocked as block:
            if config.arguments_mode == "enforce" and gate.policy.mode == "enforce":
                raise
            tell_would_block(self.tool, "arguments", block.reason, config.on_event)
        return self._arguments.as_they_came(args, kwargs)

    def _stripped(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Without the arguments that the function does not have."""
        ghosts = self._arguments.ghosts(kwargs)
        if not ghosts:
            return kwargs
        if self.config.unknown_args is UnknownArgsMode.STRIP_AND_LOG:
            named = ", ".join(repr(ghost[:80]) for ghost in ghosts[:20])
            log(logging.WARNING, "%s has no argument %s: left out", self.tool, named)
        left_out = frozenset(ghosts)
        return {name: value for name, value in kwargs.items() if name not in left_out}

    # --- answers -----------------------------------------------------------------------------------------

    def blocked(self, block: AirlockBlocked, gate: Gate | None) -> dict[str, Any]:
        """The answer to a blocked call; raises the block where it is to be raised."""
        self.explain(block, gate)
        if self.on_block == "raise":
            raise block
        return block.response.to_dict()

    def explain(self, block: AirlockBlocked, gate: Gate | None) -> AirlockBlocked:
        """Give the block its response, and tell of it. ``gate`` is None where its arguments were not the function's."""
        explain = "scoped" if gate is None else gate.policy.explain
        response = block.response = respond(self.tool, block, explain=explain)
        tell(Event(EventKind.BLOCKED, self.tool, None, {"reason": block.reason.value}), self.config.on_event)
        config = self.config
        if config.on_blocked is not None:
            call_listener(config.on_blocked, response)
        if config.on_validation_error is not None and block.reason is BlockReason.VALIDATION_ERROR:
            call_listener(config.on_validation_error, response)
        if config.on_rate_limit is not None and block.reason is BlockReason.RATE_LIMIT:
            call_listener(config.on_rate_limit, response)
        return block

    def answered(self, value: Any) -> Any:
        """The answer to a call that ran."""
        if self.return_dict:
            return AirlockResponse.success_response(value, metadata={"tool": self.tool}).to_dict()
        return value


def _face(ledger: Book, in_loop: bool) -> Book:
    """The ledger as a function of this kind speaks to it: one that waits for a disk never blocks an event loop."""
    for_async: Callable[[], Book] | None = getattr(ledger, "for_async", None)
    return for_async() if in_loop and for_async is not None else ledger


def _name(function: Callable[..., Any]) -> str:
    """What policies call it: of a partial, the function's own name, which a deny list knows."""
    while isinstance(function, functools.partial):
        function = function.func
    name: str = getattr(function, "__name__", type(function).__name__)
    return name


def _take_tags(kwargs: dict[str, Any]) -> Tags:
    """Take the gate's own keywords out, before ghost arguments are looked at."""
    if _TAGS.isdisjoint(kwargs):
        return NO_TAGS
    return Tags(*[kwargs.pop(keyword, None) for keyword in _KEYWORDS])
