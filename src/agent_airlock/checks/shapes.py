"""What hints say of the values to come: where a path or a URL may stand in them, and where none can."""

from __future__ import annotations

import collections.abc
import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Final, NamedTuple, cast
from uuid import UUID

from ..context import AirlockContext
from .fields import evaluated, field_hints, is_typed_dict
from .markers import FilePath, Url
from .names import PATH, URL, Names

NOTHING: Final = 0
"""Level of a place where no target can stand: a number, a date."""
TEXT: Final = 1
"""Level of a place for texts: they are targets where a name says so."""
LOOK: Final = 2
"""Level of a place where targets may stand, whatever its name is."""

_MARKERS: Final = ((FilePath, PATH), (Url, URL))
_INERT: Final = (int, float, complex, Decimal, date, time, timedelta, UUID, Enum, types.NoneType, AirlockContext)
"""Classes whose values hold no target. A context says who calls, not what is asked for."""
_WRAPPERS: Final = frozenset({"Required", "NotRequired", "ReadOnly", "Final", "ClassVar", "Unpack"})
_CONTAINERS: Final = frozenset({"builtins", "collections", "collections.abc"})
_CALLED: Final[tuple[Any, ...]] = (type, cast("Any", collections.abc).Callable)
_KEPT: Final = 1_024
_MAX_NESTING: Final = 64


class Node:
    """One place for values and its hints. Worked out when a value first comes there: types refer to themselves."""

    __slots__ = ("_level", "_shape", "_shapes", "hints")

    def __init__(self, shapes: Shapes, *hints: Any) -> None:
        self.hints = hints
        self._shapes = shapes
        self._shape: Shape | None = None
        self._level: int | None = None

    @property
    def shape(self) -> Shape:
        if self._shape is None:
            self._shape = self._shapes.merged([self._shapes.of(hint) for hint in self.hints])
        return self._shape

    @property
    def level(self) -> int:
        """``NOTHING``, ``TEXT`` or ``LOOK``."""
        if self._level is None:
            self._level = _level(self, set())
        return self._level


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """What may stand in a place: of a union, all of it together."""

    own: int
    """The level of what stands here, without what is in it."""
    text: int = 0
    """Kinds that a marker gives to a text that stands here."""
    inside: int = 0
    """Kinds that a marker gives to the texts in what stands here."""
    parts: Mapping[str | int, Node] = dataclasses.field(default_factory=dict[str | int, Node])
    """By key of a ``TypedDict``, field of a generic class, place in a tuple."""
    items: Node | None = None
    """The items of a list, the values of a dict."""
    keys: Node | None = None

    @property
    def is_flat(self) -> bool:
        """Whether nothing stands in it."""
        return self.own < LOOK and not self.parts and self.items is None


class Field(NamedTuple):
    """A field of a class: its name, the kinds that the name declares, and what stands in it."""

    name: str
    kinds: int
    node: Node


_NOTHING: Final = Shape(NOTHING)
_TEXT: Final = Shape(TEXT)
_LOOK: Final = Shape(LOOK)


class Shapes:
    """The shapes of hints and the fields of classes, each worked out once. Thread-safe: it can do so again."""

    def __init__(self, names: Names) -> None:
        self._names = names
        # By the hint's id, because hints need not be hashable; the hint is kept, so that no other gets its id.
        self._known: dict[int, tuple[Any, Shape]] = {}
        self._fields: dict[type[Any], tuple[Field, ...] | None] = {}
        self.anything: Final = Node(self, Any)

    def of(self, hint: Any) -> Shape:
        known = self._known.get(id(hint))
        if known is not None:
            return known[1]
        shape = self._read(hint)
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[id(hint)] = hint, shape
        return shape

    def merged(self, shapes: Sequence[Shape]) -> Shape:
        """What may stand where any of these may."""
        if len(shapes) == 1:
            return shapes[0]
        kinds = {"text": 0, "inside": 0}
        parts: dict[str | int, Node] = {}
        for shape in shapes:
            kinds["text"] |= shape.text
            kinds["inside"] |= shape.inside
            for key, node in shape.parts.items():
                parts[key] = self._both(parts.get(key), node)
        items = keys = None
        for shape in shapes:
            items = self._both(items, shape.items)
            keys = self._both(keys, shape.keys)
        return Shape(
            max((shape.own for shape in shapes), default=NOTHING), **kinds, parts=parts, items=items, keys=keys
        )

    @typing.overload
    def _both(self, one: Node | None, other: Node) -> Node: ...
    @typing.overload
    def _both(self, one: Node | None, other: Node | None) -> Node | None: ...
    def _both(self, one: Node | None, other: Node | None) -> Node | None:
        if one is None or other is None:
            return one or other
        return Node(self, *one.hints, *other.hints)

    def fields(self, cls: type[Any]) -> tuple[Field, ...] | None:
        """The fields of a dataclass, pydantic model, ``NamedTuple``, attrs or msgspec class; None of any other."""
        if cls in self._fields:
            return self._fields[cls]
        found: tuple[Field, ...] | None = None
        named = field_hints(cls)
        if named is not None:
            found = tuple(Field(name, self._kinds(name, alias), Node(self, hint)) for name, alias, hint in named)
        if len(self._fields) >= _KEPT:
            self._fields.clear()
        self._fields[cls] = found
        return found

    def _kinds(self, name: str, alias: str | None) -> int:
        return self._names.kind_of(name) or (self._names.kind_of(alias) if alias else 0)

    # --- reading hints ---------------------------------------------------------------------------------------

    def _read(self, hint: Any) -> Shape:
        origin: Any = typing.get_origin(hint)
        args = typing.get_args(hint)
        if origin is None:
            return self._read_name(hint)
        if origin is Annotated:
            inner, kinds = self.of(args[0]), _marked(args[1:])
            return dataclasses.replace(inner, text=kinds, inside=0 if inner.is_flat else kinds) if kinds else inner
        if origin in (typing.Union, types.UnionType):
            return self.merged([self.of(arg) for arg in args])
        if origin is typing.Literal:
            return _TEXT if any(isinstance(arg, (str, bytes)) for arg in args) else _NOTHING
        if getattr(origin, "_name", None) in _WRAPPERS:  # of typing, or of typing_extensions
            return self.of(args[0])
        if isinstance(origin, type):
            return self._read_generic(origin, args)
        if hasattr(origin, "__value__"):
            return self.of(_aliased(origin, args))
        return _LOOK

    def _read_name(self, hint: Any) -> Shape:
        if hint is None:
            return _NOTHING
        if isinstance(hint, type):
            return self._read_class(hint)
        if isinstance(hint, typing.TypeVar):
            bounds = hint.__constraints__ or (() if hint.__bound__ is None else (hint.__bound__,))
            return self.merged([self.of(bound) for bound in bounds]) if bounds else _LOOK
        if hasattr(hint, "__supertype__"):  # a NewType
            return self.of(hint.__supertype__)
        return self.of(_aliased(hint, ())) if hasattr(hint, "__value__") else _LOOK

    def _read_class(self, cls: type[Any]) -> Shape:
        if issubclass(cls, (str, bytes)):
            return _TEXT
        if issubclass(cls, _INERT):
            return _NOTHING
        if is_typed_dict(cls):
            hints = typing.get_type_hints(cls, include_extras=True)
            return Shape(LOOK, parts={key: Node(self, value) for key, value in hints.items()})
        return _LOOK

    def _read_generic(self, origin: Any, args: tuple[Any, ...]) -> Shape:
        if origin in _CALLED:
            return _NOTHING
        if origin is tuple:
            return self._read_tuple(args)
        if issubclass(origin, _INERT):
            return _NOTHING
        if origin.__module__ not in _CONTAINERS:
            return self._read_generic_class(origin, args)
        if issubclass(origin, Mapping):
            return Shape(NOTHING, keys=Node(self, args[0]), items=Node(self, args[1] if len(args) > 1 else int))
        if issubclass(origin, (collections.abc.Iterable, collections.abc.AsyncIterable)):
            return Shape(NOTHING, items=Node(self, args[0]))
        return _LOOK

    def _read_tuple(self, args: tuple[Any, ...]) -> Shape:
        if len(args) == 2 and args[1] is Ellipsis:
            return Shape(NOTHING, items=Node(self, args[0]))
        if any(getattr(typing.get_origin(arg), "_name", None) == "Unpack" or _is_starred(arg) for arg in args):
            return _LOOK
        return Shape(NOTHING, parts={place: Node(self, arg) for place, arg in enumerate(args)})

    def _read_generic_class(self, origin: Any, args: tuple[Any, ...]) -> Shape:
        """``Box[str]``: the hints of its fields with ``str`` in them."""
        parameters: tuple[Any, ...] = getattr(origin, "__parameters__", ())
        given = dict(zip(parameters, args, strict=False))
        hints: Mapping[str, Any] = (
            typing.get_type_hints(origin, include_extras=True)
            if is_typed_dict(origin)
            else {name: hint for name, _, hint in field_hints(origin) or ()}
        )
        return Shape(LOOK, parts={name: Node(self, _substituted(hint, given)) for name, hint in hints.items()})


def _level(node: Node, above: set[int]) -> int:
    """A type that is in itself adds nothing to its own level."""
    shape = node.shape
    if shape.own == LOOK or shape.text or shape.inside:
        return LOOK
    if id(shape) in above:
        return NOTHING
    if len(above) > _MAX_NESTING:
        return LOOK  # a generic alias that is in itself is another hint each time
    above = above | {id(shape)}
    inner = [_level(part, above) for part in shape.parts.values()]
    if shape.items is not None:
        inner.append(_level(shape.items, above))
    deepest = max(inner, default=NOTHING)
    if shape.keys is not None:
        keys = _level(shape.keys, above)
        if keys == LOOK or (keys and deepest):
            return LOOK  # a key may say what its value is
    return max(shape.own, deepest)


def _marked(metadata: Iterable[Any]) -> int:
    kinds = 0
    for item in metadata:
        for marker, kind in _MARKERS:
            if item is marker or isinstance(item, marker):
                kinds |= kind
    return kinds


def _is_starred(hint: Any) -> bool:
    return bool(getattr(hint, "__unpacked__", False))


def _aliased(alias: Any, args: tuple[Any, ...]) -> Any:
    """What a type alias stands for, with its arguments in it."""
    value = evaluated(alias.__value__, alias.__module__)
    return _substituted(value, dict(zip(alias.__type_params__, args, strict=False)))


def _substituted(hint: Any, given: Mapping[Any, Any]) -> Any:
    generic: Any = hint
    if isinstance(hint, typing.TypeVar):
        return given.get(hint, hint)
    if isinstance(hint, type):
        return hint
    parameters: tuple[Any, ...] = getattr(generic, "__parameters__", ())
    return generic[tuple(given.get(parameter, parameter) for parameter in parameters)] if parameters else hint
