"""A function's annotations, resolved: what its parameters are declared to be."""

from __future__ import annotations

import functools
import inspect
import re
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

_WORD: Final = re.compile(r"[^\W\d]\w*")


class Annotations:
    """The annotations of one function's parameters.

    Names are looked up where the function was written: in its module and, for one that is made in a function, among
    the locals of that function, if it is running. What a function returns is not looked at: it may name what is
    imported for type checkers alone.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        written = _written(function)
        raw = dict(getattr(written, "__annotations__", {}))
        raw.pop("return", None)
        self._raw: Final = raw
        self._globals: Final[dict[str, Any]] = getattr(inspect.unwrap(written), "__globals__", {})
        self._qualname: Final = str(getattr(written, "__qualname__", ""))
        self._locals = self._locals_of_its_maker()

    def resolved(self) -> dict[str, Any]:
        """Parameter → type.

        Raises:
            NameError: a name is not defined, or not yet.
        """

        def stand_in() -> None: ...

        stand_in.__annotations__ = self._raw
        return typing.get_type_hints(stand_in, self._globals, self._locals, include_extras=True)

    def is_unpacked(self, name: str) -> bool:
        """Whether a ``**kwargs`` parameter is ``Unpack[SomeTypedDict]``."""
        origin = typing.get_origin(self.resolved().get(name))
        return getattr(origin, "_name", None) == "Unpack"  # of typing, or of typing_extensions

    def bound_parameter(self, signature: inspect.Signature) -> str | None:
        """``self`` or ``cls`` of a function that is written in a class: no caller passes it by name."""
        first = next(iter(signature.parameters), None)
        outer, _, _ = self._qualname.rpartition(".")
        in_class = bool(outer) and not outer.endswith("<locals>")
        return first if in_class and first in ("self", "cls") else None

    def _locals_of_its_maker(self) -> Mapping[str, Any]:
        """The locals that its annotations name, of the running function whose body it is written in."""
        maker, made, _ = self._qualname.rpartition(".<locals>.")
        if not made:
            return {}
        words = {word for text in self._raw.values() for word in _WORD.findall(str(text))}
        frame = inspect.currentframe()
        while frame is not None:
            if frame.f_globals is self._globals and frame.f_code.co_qualname == maker:
                return {name: value for name, value in frame.f_locals.items() if name in words}
            frame = frame.f_back
        return {}


def _written(function: Any) -> Any:
    """What was written with ``def``, inside of a partial or of an object with ``__call__``."""
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, type):
        return cast("Any", function).__init__
    return function if inspect.isroutine(function) else type(function).__call__
