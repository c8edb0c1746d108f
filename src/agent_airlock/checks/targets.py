"""Which values among a call's arguments are paths, and which are URLs."""

from __future__ import annotations

import inspect
import os
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence, Set, ValuesView
from contextlib import suppress
from types import GenericAlias
from typing import Any, Final, NamedTuple, cast

from pydantic import AnyUrl, SecretBytes, SecretStr
from pydantic_core import MultiHostUrl
from pydantic_core import Url as CoreUrl

from ..context import AirlockContext
from ..exceptions import ValidationBlocked
from .annotations import Annotations
from .names import PATH, URL, names_of
from .problems import place_of
from .shapes import NOTHING, TEXT, Field, Node, Shape, Shapes

MAX_DEPTH: Final = 64
"""How deep arguments are looked into."""
MAX_VALUES: Final = 10_000
"""How many values of one call are looked at, those left out for their types not counted."""

Found = list[tuple[str, object]]
"""Where it stands (``options.files.2``), and the value."""

_SCALARS: Final = frozenset({int, float, bool, complex, type(None)})
_SECRETS: Final[tuple[Any, ...]] = (SecretStr, SecretBytes)
_PATHS: Final[tuple[Any, ...]] = (os.PathLike,)
_URLS: Final[tuple[Any, ...]] = (AnyUrl, CoreUrl, MultiHostUrl)
_SEQUENCES: Final = (Sequence, Set, ValuesView)
_ITERATORS: Final[tuple[Any, ...]] = (Iterator, AsyncIterator)
_NUMBERS: Final = (range, bytearray, memoryview)
"""Sequences whose items can be no target."""
_KNOWN: Final[tuple[Any, ...]] = (*_SECRETS, *_PATHS, *_URLS, *_SEQUENCES, Mapping)
_NO_KEYWORDS: Final[Mapping[str, Any]] = {}


class _Watched(NamedTuple):
    """A parameter in which targets may stand."""

    name: str
    node: Node
    named: int
    """Kinds that its name declares."""
    text: int
    """Kinds of a text that it is given."""
    number: int
    """Kinds of a whole number that it is given, where no type says that it may be one: ``open`` takes open files."""


class Targets:
    """Where paths and URLs may stand in the arguments of one function, compiled from its signature.

    A text, bytes or ``os.PathLike`` is one where its annotation says so (:class:`~.markers.FilePath`,
    :class:`~.markers.Url`), else where a name says so: the nearest name of a parameter, a field or a key, down through
    lists, tuples, sets and dicts (:class:`~.names.Names` has the usual names). An ``os.PathLike`` is a path, and a
    URL of pydantic or ``urllib`` is a URL, whatever they are called. They are found in dataclasses, pydantic models
    (extra fields too), ``NamedTuple`` and ``TypedDict``, attrs and msgspec classes as well. Not looked into are
    contexts, and objects of any other class.

    Args:
        function: the function.
        annotations: those of the function, where they are known already.
        path_names, url_names: globs of the names that declare one, in place of the usual ones.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        annotations: Annotations | None = None,
        *,
        path_names: Collection[str] | None = None,
        url_names: Collection[str] | None = None,
    ) -> None:
        self._names: Final = names_of(path_names, url_names)
        self._shapes: Final = Shapes(self._names)
        self._annotations: Final = annotations or Annotations(function)
        self._signature: Final = inspect.signature(function)
        parameters = self._signature.parameters.values()
        self._extra: Final = next((item.name for item in parameters if item.kind is item.VAR_KEYWORD), None)
        self._own: Final = frozenset(item.name for item in parameters) - {self._extra}
        self._hiding: Final = frozenset(
            item.name for item in parameters if item.kind in (item.POSITIONAL_ONLY, item.VAR_POSITIONAL)
        )
        self._watched: tuple[_Watched, ...] | None = None
        with suppress(NameError):
            self._compile()  # else a name is defined later in its module: compiled at the first call

    def _compile(self) -> tuple[_Watched, ...]:
        hints = self._annotations.resolved()
        bound = self._annotations.bound_parameter(self._signature)
        self._extra_node = Node(self._shapes, hints.get(cast("str", self._extra), Any))
        watched: list[_Watched] = []
        for parameter in self._signature.parameters.values():
            name, hint = parameter.name, hints.get(parameter.name, Any)
            if name in (bound, self._extra):
                continue
            if parameter.kind is parameter.VAR_POSITIONAL:
                hint = GenericAlias(tuple, (hint, ...))
            node, named = Node(self._shapes, hint), self._names.kind_of(name)
            if not _is_quiet(node, named):
                text = node.shape.text or named
                watched.append(_Watched(name, node, named, text, text if hint is Any else node.shape.text))
        self._watched = tuple(watched)
        return self._watched

    def of(self, arguments: Mapping[str, Any], keywords: Mapping[str, Any] = _NO_KEYWORDS) -> tuple[Found, Found]:
        """The paths and the URLs in validated arguments, by name, in order. None is neither.

        Args:
            arguments: ``Call.arguments``.
            keywords: ``Call.kwargs``: a keyword that ``**kwargs`` took may have the name of a positional-only
                parameter or of the ``*args``, and is then not in ``arguments``.

        Raises:
            ValidationBlocked: they are too deep or too many to be looked at, or looking at them failed.
            NameError: an annotation names what does not exist.
        """
        watched = self._compile() if self._watched is None else self._watched
        paths: Found = []
        urls: Found = []
        walk: _Walk | None = None
        try:
            for name, node, named, text, number in watched:
                value = arguments.get(name)
                if type(value) is str:
                    if text & PATH:
                        paths.append((name, value))
                    if text & URL:
                        urls.append((name, value))
                elif type(value) is int and number:
                    _add_to(paths, urls, number, name, value)
                elif type(value) not in _SCALARS:
                    walk = walk or _Walk(self._shapes, self._names.kind_of, paths, urls)
                    walk.visit(value, node, named, (name,))
            if self._extra is not None:
                self._visit_extra(walk or _Walk(self._shapes, self._names.kind_of, paths, urls), arguments, keywords)
            return paths, urls
        except ValidationBlocked:
            raise
        except Exception as error:  # of a value, when it is looked at; its text may repeat what was passed
            failed = type(error).__name__
        raise _blocked(f"looking for paths and URLs in its arguments failed ({failed})", "Pass plain values.")

    def _visit_extra(self, walk: _Walk, arguments: Mapping[str, Any], keywords: Mapping[str, Any]) -> None:
        """What ``**kwargs`` took: each by its own name."""
        parts = self._extra_node.shape.parts if self._annotations.is_unpacked(cast("str", self._extra)) else None
        for given, extra in (
            (arguments, [name for name in arguments if name not in self._own]),
            (keywords, [name for name in keywords if name in self._hiding]),
        ):
            for name in extra:
                node = self._extra_node if parts is None else parts.get(name, self._shapes.anything)
                walk.enter(name, given[name], node, 0, ())


class _Walk:
    """One look into the arguments of one call."""

    __slots__ = ("_found", "_kind_of", "_left", "_seen", "_shapes")

    def __init__(self, shapes: Shapes, kind_of: Callable[[str], int], paths: Found, urls: Found) -> None:
        self._shapes = shapes
        self._kind_of = kind_of
        self._left = MAX_VALUES
        # Kept with their values: no other value gets the id of one that was made on the way.
        self._seen: dict[tuple[int, int, int], object] = {}
        self._found = ((PATH, paths), (URL, urls))

    def visit(self, value: Any, node: Node, named: int, place: tuple[str | int, ...]) -> None:
        """Look at a value whose name, or what it is in, declares the kinds ``named``."""
        kind = cast("Any", type(value))
        if kind in _SCALARS:
            return
        shape = node.shape
        if issubclass(kind, (str, bytes)):
            self._add(shape.text or named, place, value)
            return
        state = (id(value), id(shape), named)
        if state in self._seen or issubclass(kind, AirlockContext):
            return
        self._seen[state] = value
        if len(place) > MAX_DEPTH:
            raise _blocked(f"its arguments are nested deeper than {MAX_DEPTH}", "Pass flatter arguments.")
        if kind is dict:
            self._visit_mapping(value, shape, shape.inside or named, place)
        elif kind is list or kind is tuple:
            self._visit_items(value, shape, shape.inside or named, place)
        elif kind.__module__ == "urllib.parse" and hasattr(kind, "geturl"):
            self._add(URL, place, value.geturl())
        else:
            self._visit_instance(value, node, named, place)

    def _visit_instance(self, value: Any, node: Node, named: int, place: tuple[str | int, ...]) -> None:
        """Look at a value of a class that is not the most common ones: it may be several things at once."""
        shape = node.shape
        kind = cast("Any", type(value))
        fields = self._shapes.fields(kind)
        if fields is not None:
            self._visit_fields(value, fields, node, named, place)
        if issubclass(kind, Mapping):
            self._visit_mapping(value, shape, shape.inside or named, place)
        elif fields is None and issubclass(kind, _SEQUENCES) and not issubclass(kind, _NUMBERS):
            self._visit_items(value, shape, shape.inside or named, place)
        if issubclass(kind, _PATHS):
            self._add(PATH, place, value)
        if issubclass(kind, _URLS):
            self._add(URL, place, value)
        if issubclass(kind, _SECRETS):
            self.visit(value.get_secret_value(), node, named, place)
        if issubclass(kind, _ITERATORS) and not hasattr(value, "read"):  # an open file is no path
            self._refuse_iterator(shape, named, place)
        elif shape.text and fields is None and not issubclass(kind, _KNOWN):
            self._add(shape.text, place, value)  # it is declared a target, and nobody can read it as one

    def _visit_fields(
        self, value: Any, fields: tuple[Field, ...], node: Node, named: int, place: tuple[str | int, ...]
    ) -> None:
        """Fields are declared by themselves; only a ``RootModel`` is what stands in it."""
        shape = node.shape
        self._count(len(fields))
        is_root = getattr(value, "__pydantic_root_model__", False) is True
        above = shape.text or shape.inside or named if is_root else 0
        for name, kinds, inner in fields:
            self._go_on(getattr(value, name, None), shape.parts.get(name, inner), kinds or above, (*place, name))
        extra = getattr(value, "__pydantic_extra__", None) or getattr(value, "__dict__", None)
        if isinstance(extra, dict):
            known = {field.name for field in fields}
            for name, item in cast("dict[str, Any]", extra).items():
                if name not in known:
                    self._count(1)
                    self.enter(name, item, self._shapes.anything, 0, place)

    def _go_on(self, value: Any, node: Node, named: int, place: tuple[str | int, ...]) -> None:
        if value is not None and not _is_quiet(node, named):
            self.visit(value, node, named, place)

    def enter(self, name: Any, value: Any, node: Node, above: int, place: tuple[str | int, ...]) -> None:
        """Look at a value under a key."""
        kinds = above
        part: str | int = name if type(name) is int else "…"
        if isinstance(name, str):
            part = str.__str__(name)
            kinds = self._kind_of(part) or above
        self._go_on(value, node, kinds, (*place, part))

    def _visit_mapping(self, value: Any, shape: Shape, above: int, place: tuple[str | int, ...]) -> None:
        items = shape.items or self._shapes.anything
        pairs: Any = dict[Any, Any].items if issubclass(type(value), dict) else cast("Any", type(value)).items
        for key, item in pairs(value):
            self._count(1)
            if above and type(key) is str and _looks_like_a_target(key):
                self._add(above, (*place, "…"), key)
            if shape.keys is not None or type(key) is not str:
                self._go_on(key, shape.keys or self._shapes.anything, 0, (*place, "…"))
            if type(item) not in _SCALARS:
                self.enter(key, item, shape.parts.get(key, items) if shape.parts else items, above, place)

    def _visit_items(self, value: Any, shape: Shape, above: int, place: tuple[str | int, ...]) -> None:
        items = shape.items or self._shapes.anything
        if not shape.parts and _is_quiet(items, above):
            return
        for index, item in enumerate(value):
            self._count(1)
            if type(item) not in _SCALARS:
                self._go_on(item, shape.parts.get(index, items), above, (*place, index))

    def _refuse_iterator(self, shape: Shape, named: int, place: tuple[str | int, ...]) -> None:
        """What is read once is the tool's to read; where targets may stand in it, nobody could say that none does."""
        items = shape.items
        if shape.text or shape.inside or named or (items is not None and not _is_quiet(items, named)):
            where = _spelled(place)
            raise _blocked(
                f"{where} can be read only once, so that nobody can look for paths and URLs in it",
                f"Declare {where} as a list.",
            )

    def _add(self, kinds: int, place: tuple[str | int, ...], value: object) -> None:
        _add_to(self._found[0][1], self._found[1][1], kinds, _spelled(place), value)

    def _count(self, values: int) -> None:
        self._left -= values
        if self._left < 0:
            raise _blocked(f"its arguments hold more than {MAX_VALUES} values", "Pass fewer values in one call.")


def _add_to(paths: Found, urls: Found, kinds: int, place: str, value: object) -> None:
    if kinds & PATH:
        paths.append((place, value))
    if kinds & URL:
        urls.append((place, value))


def _looks_like_a_target(key: str) -> bool:
    """Whether a key of a mapping that is declared to hold paths or URLs may be one: ``{"/etc/passwd": "content"}``."""
    return "/" in key or "\\" in key or ".." in key or ":" in key or key[:1] == "~"


def _is_quiet(node: Node, named: int) -> bool:
    """Whether no target can stand in a place of this name."""
    level = node.level
    return level == NOTHING or (level == TEXT and not named)


def _spelled(place: tuple[str | int, ...]) -> str:
    """A place as text. The names of extra keywords come from the caller, who may put anything there."""
    first, rest = place[0], place[1:]
    return place_of(first if isinstance(first, str) and first.isidentifier() else "…", rest)


def _blocked(problem: str, hint: str) -> ValidationBlocked:
    return ValidationBlocked(problem, hints=(hint,))
