"""The arguments of a call: none that the function does not have, each of the type that it declares."""

from __future__ import annotations

import contextlib
import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, cast

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ArgsKwargs

from ..exceptions import GhostArgumentsBlocked, ValidationBlocked
from .annotations import Annotations

RESERVED: Final = "_airlock_"
"""Keyword arguments that begin so are the gate's; no function sees one."""

_CONFIG: Final = ConfigDict(arbitrary_types_allowed=True)
_MAX_ERRORS: Final = 10


class ArgumentsCheck:
    """The check of one function's arguments, compiled from its signature.

    Each argument is held to its annotation by pydantic's strict Python mode; where that fails and the value is
    plain JSON, by its strict JSON mode, so that ISO dates, enum values, UUIDs and lists for tuples pass, and
    ``"5"`` for an ``int`` does not.

    Raises:
        TypeError: a parameter's name begins with ``_airlock_``.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._signature = inspect.signature(function)
        self._annotations = Annotations(function)
        parameters = self._signature.parameters.values()
        for parameter in parameters:
            if parameter.name.startswith(RESERVED):
                raise TypeError(f"{function!r}: parameters that begin with {RESERVED!r} are the gate's")
        self.positional: Final = tuple(
            parameter.name
            for parameter in parameters
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        )
        self.rest: Final = next((item.name for item in parameters if item.kind is item.VAR_POSITIONAL), None)
        """The name of the ``*args`` parameter, or None."""
        self._keywords: Final = frozenset(
            parameter.name
            for parameter in parameters
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        )
        self._bound: Final = self._annotations.bound_parameter(self._signature)
        self._takes_any: Final = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
        self._validate: Callable[..., tuple[tuple[Any, ...], dict[str, Any]]] | None = None
        with contextlib.suppress(NameError):
            self._compile()  # else a name is defined later in its module: compiled at the first call

    def _compile(self) -> Callable[..., tuple[tuple[Any, ...], dict[str, Any]]]:
        collector = _collector(self._signature, self._annotations.resolved())
        # A TypeAdapter takes a function (its arguments are validated, then it is called); its type does not say so.
        adapter: TypeAdapter[Any] = TypeAdapter(cast("Any", collector), config=_CONFIG)
        self._validate = adapter.validator.validate_python
        return self._validate

    def check(self, tool: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments as the function will get them.

        Raises:
            GhostArgumentsBlocked: arguments that the function does not have.
            ValidationBlocked: arguments of the wrong type, missing or too many; or a validator that raised.
            NameError: an annotation names what does not exist.
        """
        if not kwargs.keys() <= self._keywords:
            self._block_ghosts(tool, kwargs)
        validate = self._validate or self._compile()
        # What pydantic, a validator or a value raises may repeat what was passed. The blocks are raised outside of the
        # `except` clauses, so that no traceback of theirs has it.
        try:
            return validate(ArgsKwargs(args, kwargs), strict=True)
        except ValidationError:
            pass
        except (PydanticUserError, NameError):
            raise  # a type that is not finished is the developer's mistake, not the caller's
        except Exception as error:
            raise self._failed(tool, error) from None
        try:
            return self._check_each(tool, args, kwargs)
        except (ValidationBlocked, PydanticUserError, NameError):
            raise
        except Exception as error:
            failed = self._failed(tool, error)
        raise failed

    def as_they_came(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments that are not those of the function, as near to them as can be: with its defaults, where they fit.

        The gate's own keywords are left out: no function sees one.
        """
        kwargs = {name: value for name, value in kwargs.items() if not name.startswith(RESERVED)}
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError:
            return args, kwargs
        bound.apply_defaults()
        return bound.args, bound.kwargs

    @staticmethod
    def _failed(tool: str, error: Exception) -> ValidationBlocked:
        return ValidationBlocked(
            f"{tool}: checking its arguments failed ({type(error).__name__})",
            hints=("Pass plain values of the declared types.",),
        )

    def ghosts(self, kwargs: Mapping[str, Any]) -> tuple[str, ...]:
        """The names of the arguments that the function does not have."""
        if kwargs.keys() <= self._keywords:
            return ()
        return tuple(
            name for name in kwargs if name.startswith(RESERVED) or not (self._takes_any or name in self._keywords)
        )

    def _block_ghosts(self, tool: str, kwargs: Mapping[str, Any]) -> None:
        ghosts = self.ghosts(kwargs)
        if not ghosts:
            return
        import difflib

        real = sorted(self._keywords - {self._bound})
        named = ", ".join(repr(ghost[:80]) for ghost in ghosts[:5])
        nearest = [
            f"Did you mean {match!r}?"
            for ghost in ghosts[:5]
            if (match := next(iter(difflib.get_close_matches(ghost[:80], real, 1)), None))
        ]
        raise GhostArgumentsBlocked(
            " ".join([f"{tool} has no argument {named}.", *nearest]),
            ghosts=tuple(ghost[:80] for ghost in ghosts[:20]),
            hints=(*nearest, f"Arguments of {tool}: {', '.join(real) or 'none'}."),
        )

    # --- the second chance, argument by argument ---------------------------------------------------------

    def _check_each(
        self, tool: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise ValidationBlocked(
                f"{tool}: {error}", hints=(f"Its signature is {tool}{self._shown_signature()}.",)
            ) from None
        errors: list[dict[str, str]] = []
        for name, parameter in self._signature.parameters.items():
            adapter = self._adapters.get(name)
            if name not in bound.arguments:
                if isinstance(parameter.default, FieldInfo):
                    bound.arguments[name] = _default_of(name, parameter.default, errors)
                continue
            value = bound.arguments[name]
            if adapter is None:
                continue
            if parameter.kind is parameter.VAR_POSITIONAL:
                bound.arguments[name] = tuple(_one(adapter, name, item, errors) for item in value)
            elif parameter.kind is parameter.VAR_KEYWORD and not self._annotations.is_unpacked(name):
                bound.arguments[name] = {key: _one(adapter, key, item, errors) for key, item in value.items()}
            else:
                bound.arguments[name] = _one(adapter, name, value, errors)
        if errors:
            said = "; ".join(f"{error['argument']}: {error['problem']}" for error in errors[:3])
            raise ValidationBlocked(
                f"{tool} was called with arguments that its types do not allow: {said}",
                errors=tuple(errors[:_MAX_ERRORS]),
                hints=tuple(f"{error['argument']}: {error['problem']}." for error in errors[:_MAX_ERRORS]),
            )
        bound.apply_defaults()
        return bound.args, bound.kwargs

    @functools.cached_property
    def _adapters(self) -> dict[str, TypeAdapter[Any]]:
        adapters: dict[str, TypeAdapter[Any]] = {}
        for name, hint in self._annotations.resolved().items():
            default = self._signature.parameters[name].default
            if isinstance(default, FieldInfo):
                hint = Annotated[hint, default]  # noqa: PLW2901  (its constraints are in its default)
            elif self._annotations.is_unpacked(name):
                hint = typing.get_args(hint)[0]  # noqa: PLW2901
            adapters[name] = _adapter(hint)
        return adapters

    def _shown_signature(self) -> str:
        """The signature without its defaults, which may be secrets."""
        bare = [
            str(parameter.replace(default=inspect.Parameter.empty))
            for parameter in self._signature.parameters.values()
            if parameter.name != self._bound
        ]
        return f"({', '.join(bare)})"


def _collector(signature: inspect.Signature, hints: dict[str, Any]) -> Callable[..., Any]:
    """A function of this signature that returns what it was called with."""

    def collect(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return args, kwargs

    collect.__annotations__ = hints
    cast("Any", collect).__signature__ = signature.replace(return_annotation=inspect.Signature.empty)
    return collect


def _default_of(name: str, default: FieldInfo, errors: list[dict[str, str]]) -> Any:
    if default.is_required():
        errors.append({"argument": name, "problem": "Missing required argument", "expected": "missing_argument"})
        return None
    return default.get_default(call_default_factory=True, validated_data={})


def _adapter(hint: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(hint, config=_CONFIG)
    except Exception:  # a type that has a config of its own (a model, a dataclass) takes no second one
        return TypeAdapter(hint)


def _one(adapter: TypeAdapter[Any], name: str, value: Any, errors: list[dict[str, str]]) -> Any:
    """One argument as its type says; where it does not fit, what is wrong joins ``errors``."""
    try:
        return adapter.validate_python(value, strict=True)
    except ValidationError as error:
        problem = error
    import json

    from .problems import is_json, problems

    try:
        text = json.dumps(value, allow_nan=False) if is_json(value) else None
    except (ValueError, RecursionError):
        text = None
    try:
        if text is not None:
            return adapter.validate_json(text, strict=True)
    except ValidationError as error:
        if error.errors(include_url=False, include_context=False, include_input=False)[0]["type"] != "json_invalid":
            problem = error
    errors.extend(problems(name, problem))
    return value
