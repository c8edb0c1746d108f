"""Containers of a frozen policy: they say why they cannot be changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Never, cast

from .exceptions import PolicyMutationError


def _refuse(*args: object, **kwargs: object) -> Never:
    raise PolicyMutationError("a frozen policy cannot be changed; make a new one, or change one before freezing")


class FrozenList(tuple[Any, ...]):
    """A tuple that says why it cannot be changed, and is equal to a list of the same items."""

    __slots__ = ()

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


class FrozenDict(dict[Any, Any]):
    """A dict that says why it cannot be changed."""

    __slots__ = ()

    __setitem__ = __delitem__ = __ior__ = _refuse  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]
    update = setdefault = pop = popitem = clear = _refuse  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]

    def __copy__(self) -> FrozenDict:
        return self

    def __deepcopy__(self, memo: object) -> FrozenDict:
        return self  # what a policy keeps in one is as frozen as it is

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenDict, (dict(self),)


def frozen(value: Any) -> Any:
    """A list as a :class:`FrozenList`, a dict as a :class:`FrozenDict`, all the way down; anything else as it is."""
    given = value  # `isinstance` would narrow it to containers of nobody knows what
    if isinstance(value, list):
        return FrozenList([frozen(item) for item in given])
    if isinstance(value, dict):
        return FrozenDict({key: frozen(item) for key, item in given.items()})
    return given


def thawed(value: Any) -> Any:
    """A list or dict of its own, all the way down: a caller's own can then change without changing the policy."""
    given = value
    if type(value) in (list, tuple, FrozenList):
        return [thawed(item) for item in given]
    if isinstance(value, dict):
        return {key: thawed(item) for key, item in given.items()}
    return given
