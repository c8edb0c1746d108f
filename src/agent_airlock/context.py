"""Who is calling: ``AirlockContext`` and the context variable that carries it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Generic, Self, TypeVar, cast

T = TypeVar("T")


@dataclass(eq=False)
class AirlockContext(Generic[T]):
    """Who makes the calls inside ``with AirlockContext(…):`` (``async with`` too).

    One instance may be entered by several threads and tasks at once, and nested. A plain thread does not
    inherit it (copy the context: ``contextvars.copy_context().run``); its calls are then counted in the
    accounts of calls without a value, such as ``session:-``.

    Args:
        agent_id, session_id, workspace_id, team_id, user_id: what the scopes of a budget count against.
        roles: what ``SecurityPolicy(allowed_roles=…)`` asks for.
        user_context: anything of yours; never read by the gate, never shown in a repr.
        metadata: tags (``airlock_tier``, ``model_id``, ``input_tokens``, ``max_output_tokens``), and what you like.
    """

    agent_id: str | None = None
    session_id: str | None = None
    workspace_id: str | None = None
    team_id: str | None = None
    user_id: str | None = None
    roles: Sequence[str] = ()
    user_context: T | None = field(default=None, repr=False)
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)

    def __post_init__(self) -> None:
        for name in ("agent_id", "session_id", "workspace_id", "team_id", "user_id"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise TypeError(f"AirlockContext.{name} must be text or None, not {type(value).__name__}")
        if isinstance(self.roles, str) or not isinstance(self.roles, Collection):
            raise TypeError(f"AirlockContext.roles must be a sequence of texts, not {type(self.roles).__name__}")
        if not all(isinstance(role, str) for role in self.roles):
            raise TypeError(f"AirlockContext.roles must be a sequence of texts, not {self.roles!r}")
        if not isinstance(self.metadata, Mapping):
            raise TypeError(f"AirlockContext.metadata must be a mapping, not {type(self.metadata).__name__}")

    def __enter__(self) -> Self:
        _entered.set((*_entered.get(), self))
        return self

    def __exit__(self, *exc: object) -> None:
        # The stack is the context variable's, not the instance's, so that threads and tasks do not meet in it.
        # Leaving out of order (an async generator closed elsewhere) takes out this entry and no other.
        stack = list(_entered.get())
        for place in reversed(range(len(stack))):
            if stack[place] is self:
                del stack[place]
                break
        _entered.set(tuple(stack))

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, *exc: object) -> None:
        self.__exit__()


AnyContext = AirlockContext[Any]

EMPTY: Final[AnyContext] = AirlockContext(metadata=MappingProxyType({}))
"""What a policy that is a function of the context gets where none is current."""

_entered: ContextVar[tuple[AnyContext, ...]] = ContextVar("agent_airlock_context", default=())


def get_current_context() -> AnyContext | None:
    """The innermost context that is entered here, or None."""
    stack = _entered.get()
    return stack[-1] if stack else None


def set_current_context(context: AnyContext) -> Token[tuple[AnyContext, ...]]:
    """Enter ``context`` without a ``with``; give the token to :func:`reset_context`.

    Raises:
        TypeError: not an ``AirlockContext``.
    """
    if not isinstance(context, AirlockContext):
        raise TypeError(f"set_current_context takes an AirlockContext, not {type(context).__name__}")
    return _entered.set((*_entered.get(), context))


def reset_context(token: Token[tuple[AnyContext, ...]]) -> None:
    """Leave what :func:`set_current_context` entered."""
    _entered.reset(token)


_PLAIN: Final = frozenset({str, int, float, bool, bytes, list, dict, tuple, set, type(None)})


class ContextExtractor:
    """Finds an ``AirlockContext`` in a call's raw arguments: itself, or as ``.context`` / ``.ctx`` of a wrapper.

    Only instances count. What a model wrote can look like a context, but validation has not built one yet.
    """

    @staticmethod
    def extract(args: Iterable[object], kwargs: Mapping[str, object]) -> AnyContext | None:
        """The first context, positional arguments before keywords, or None."""
        for value in args:
            if type(value) not in _PLAIN and (found := _context_of(value)) is not None:
                return found
        for value in kwargs.values():
            if type(value) not in _PLAIN and (found := _context_of(value)) is not None:
                return found
        return None


def _context_of(value: object) -> AnyContext | None:
    # By its type: ``isinstance`` also believes an object that merely says that it is one.
    if issubclass(type(value), AirlockContext):
        return cast("AnyContext", value)
    for name in ("context", "ctx"):
        try:
            found = getattr(value, name, None)
        except Exception:  # noqa: S112  (a property of somebody else's object)
            continue
        if issubclass(type(found), AirlockContext):
            return cast("AnyContext", found)
    return None
