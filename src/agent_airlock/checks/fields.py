"""The fields of a class whose instances carry values: their names, their aliases and their hints."""

from __future__ import annotations

import dataclasses
import inspect
import sys
import typing
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, cast


class FieldHint(NamedTuple):
    """A field: its name, another name that a caller may use for it, its hint."""

    name: str
    alias: str | None
    hint: Any


def is_typed_dict(cls: type[Any]) -> bool:
    return issubclass(cls, dict) and hasattr(cast("Any", cls), "__total__")  # of typing, or of typing_extensions


def field_hints(cls: type[Any]) -> list[FieldHint] | None:
    """The fields of a dataclass, pydantic model, ``NamedTuple``, attrs or msgspec class; None of any other class.

    A hint that names what does not exist is ``Any``.
    """
    described: Any = getattr(cls, "__pydantic_fields__", None)
    if isinstance(described, Mapping):  # a pydantic model, or a pydantic dataclass
        return [_described(name, info) for name, info in cast("Mapping[str, Any]", described).items()]
    names = _names(cls)
    if names is None:
        return None
    hints = _hints(cls)
    return [FieldHint(name, None, hints.get(name, Any)) for name in names]


def _described(name: str, info: Any) -> FieldHint:
    hint = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    return FieldHint(
        name, next((alias for alias in (info.validation_alias, info.alias) if type(alias) is str), None), hint
    )


def _names(cls: Any) -> list[str] | None:
    if dataclasses.is_dataclass(cls):
        return [item.name for item in dataclasses.fields(cls)]
    if issubclass(cls, tuple):
        return list(getattr(cast("Any", cls), "_fields", ())) or None
    if hasattr(cls, "__attrs_attrs__"):
        return [attribute.name for attribute in cls.__attrs_attrs__]
    fields: list[str] | None = getattr(cls, "__struct_fields__", None)
    return None if fields is None else list(fields)


def _hints(cls: type[Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls, include_extras=True)
    except Exception:
        hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        for name, written in inspect.get_annotations(base).items():
            hints[name] = evaluated(written, base.__module__, dict(vars(base)))
    return hints


def evaluated(written: Any, module: str, local: dict[str, Any] | None = None) -> Any:
    """A hint that may be, or hold, texts, as it is where it was written; ``Any`` where it names what does not exist."""

    def stand_in() -> None: ...

    stand_in.__annotations__ = {"hint": written}
    try:
        return typing.get_type_hints(stand_in, vars(sys.modules[module]), local, include_extras=True)["hint"]
    except Exception:
        return Any
