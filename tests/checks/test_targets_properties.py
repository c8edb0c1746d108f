"""Paths and URLs in arguments, by property: none is missed, none is made up, and nothing crashes the search."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import PurePath
from typing import Annotated, Any, Final

from hypothesis import given
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, ConfigDict

from agent_airlock import ValidationBlocked
from agent_airlock.checks.markers import FilePath, Url
from agent_airlock.checks.targets import Targets

PATHS: Final = {"path", "files", "outDir"}
URLS: Final = {"url", "image-links", "webhook"}
OTHERS: Final = {"note", "source", "more", ""}


@dataclass
class Piece:
    note: Any
    path: Any
    marked: Annotated[Any, Url]


class Model(BaseModel):
    model_config = ConfigDict(extra="allow")
    note: Any
    url: Any
    marked: Annotated[Any, FilePath]


class Text(str):
    """Texts that are told apart by what they are, not by what they say."""

    __slots__ = ()


LEAVES: Final = st.one_of(
    st.builds(Text, st.just("text")),
    st.builds(PurePath, st.just("a")),
    st.builds(AnyUrl, st.just("https://a")),
    st.none(),
    st.integers(),
    st.floats(),
    st.booleans(),
)
KEYS: Final = st.sampled_from(sorted(PATHS | URLS | OTHERS)) | st.integers(0, 3)


def grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.lists(inner, max_size=3).map(collections.deque),
        st.dictionaries(KEYS, inner, max_size=4),
        st.builds(Piece, inner, inner, inner),
        st.builds(
            lambda note, url, marked, more: Model(note=note, url=url, marked=marked, **more),
            inner,
            inner,
            inner,
            st.dictionaries(st.sampled_from(["files", "webhook", "other"]), inner, max_size=2),
        ),
    )


VALUES: Final = st.recursive(LEAVES, grown, max_leaves=30)


def declared(name: object) -> str:
    return "path" if name in PATHS else "url" if name in URLS else ""


def naive(value: Any, kind: str) -> Iterator[tuple[str, int]]:
    """Every target in a value that its name, or its marker, declares to be of ``kind``; by identity."""
    if isinstance(value, str):
        if kind:
            yield kind, id(value)
    elif isinstance(value, PurePath):
        yield "path", id(value)
    elif isinstance(value, AnyUrl):
        yield "url", id(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from naive(item, declared(key) or kind)
    elif isinstance(value, (list, tuple, collections.deque)):
        for item in value:
            yield from naive(item, kind)
    elif is_dataclass(value):
        for item in fields(value):
            yield from naive(getattr(value, item.name), {"marked": "url"}.get(item.name, declared(item.name)))
    elif isinstance(value, BaseModel):
        for name, item in value:
            yield from naive(item, {"marked": "path"}.get(name, declared(name)))


@given(VALUES, st.sampled_from(["note", "path", "urls"]))
def test_what_a_naive_walk_finds_is_found_and_nothing_else(value: Any, name: str) -> None:
    def tool(note: Any = None, path: Any = None, urls: Any = None) -> None: ...

    paths, urls = Targets(tool).of({name: value})
    told = [("path", id(value)) for _, value in paths] + [("url", id(value)) for _, value in urls]
    assert set(told) == set(naive(value, {"note": "", "path": "path", "urls": "url"}[name]))


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_places_never_repeat_what_is_no_word(arguments: dict[str, Any]) -> None:
    def tool(**more: Any) -> None: ...

    for found in Targets(tool).of(arguments):
        for place, _ in found:
            assert all(part.isidentifier() or part.isdigit() or part == "…" for part in place.split("."))


class Odd:
    """An object that answers whatever it is asked with whatever it was given."""

    def __init__(self, answers: Any) -> None:
        self.answers = answers

    def __getattr__(self, name: str) -> Any:
        if name == "answers" or not self.answers:
            raise AttributeError(name)
        return self.answers

    def __iter__(self) -> Any:
        return iter(self.answers)

    def __fspath__(self) -> Any:
        return self.answers


@given(st.recursive(LEAVES | st.builds(Odd, LEAVES), lambda inner: grown(inner) | st.builds(Odd, inner), max_leaves=20))
def test_no_value_crashes_the_search(value: Any) -> None:
    def tool(note: Any = None, *, path: Any = None, **more: Any) -> None: ...

    for name in ("note", "path", "other", "url"):
        try:
            Targets(tool).of({name: value}, {name: value})
        except ValidationBlocked as block:
            assert block.hints  # noqa: PT017  (that it says what would pass is all that is asked)


HINTS: Final = st.recursive(
    st.sampled_from([str, int, Any, Annotated[str, Url], Annotated[str, FilePath], None, Piece, Model]),
    lambda inner: st.one_of(
        inner.map(lambda hint: list[hint]),  # type: ignore[valid-type]
        inner.map(lambda hint: dict[str, hint]),  # type: ignore[valid-type]
        st.tuples(inner, inner).map(lambda pair: tuple[pair[0], pair[1]]),  # type: ignore[name-defined]
        st.tuples(inner, inner).map(lambda pair: Annotated[pair[0], Url] if pair[0] else pair[1]),
        st.tuples(inner, inner).map(lambda pair: pair[0] if pair[1] is None else (pair[0] or str) | pair[1]),
    ),
    max_leaves=8,
)


@given(HINTS, VALUES)
def test_no_hint_hides_what_stands_under_a_declared_name(hint: Any, value: Any) -> None:
    """Values are held to hints before; this one holds where a hint lets anything pass."""

    def tool(x: Any, path: Any) -> None: ...

    tool.__annotations__ = {"x": hint, "path": Any}
    paths, _ = Targets(tool).of({"x": value, "path": "a"})
    assert ("path", "a") in paths
