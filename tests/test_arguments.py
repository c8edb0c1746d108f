"""The arguments of a call: no ghosts, and each of the type that the function declares."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, Field
from typing_extensions import TypedDict, Unpack

from agent_airlock import Airlock, AirlockConfig, UnknownArgsMode

if TYPE_CHECKING:
    from nowhere import Nothing  # type: ignore[import-not-found]


class Colour(enum.Enum):
    RED = "red"


class Point(BaseModel):
    x: int
    when: date | None = None


class Line(BaseModel):
    start: Point
    end: Point


@dataclass
class Box:
    width: int
    corner: Point


def taking(annotation: Any) -> Any:
    def tool(value: Any) -> Any:
        return value

    tool.__annotations__ = {"value": annotation}
    return Airlock(tool)


def reason(answer: Any) -> str:
    assert isinstance(answer, dict), answer
    assert answer["status"] == "blocked"
    return str(answer["block_reason"])


# --- ghosts ----------------------------------------------------------------------------------------------


@Airlock
def search(query: str, limit: int = 10) -> list[str]:
    return [query] * limit


SEARCH: Any = search


def test_a_ghost_is_blocked_with_the_nearest_real_name() -> None:
    answer = SEARCH("otters", limt=5)
    assert reason(answer) == "ghost_arguments"
    assert answer["error"] == ("AIRLOCK_BLOCK: search has no argument 'limt'. Did you mean 'limit'?")
    assert answer["fix_hints"] == ["Did you mean 'limit'?", "Arguments of search: limit, query."]
    assert answer["metadata"]["ghost_arguments"] == ["limt"]


def test_a_ghost_that_is_like_nothing_names_the_real_ones() -> None:
    assert "Arguments of search: limit, query." in SEARCH("x", zzz=1)["error"]


def test_many_long_ghosts_make_a_short_answer() -> None:
    answer = SEARCH("x", **{f"{number}{'g' * 10_000}": 1 for number in range(500)})
    assert len(str(answer)) < 10_000


def test_a_function_that_takes_any_keyword_has_no_ghosts_but_never_sees_the_gates() -> None:
    @Airlock
    def anything(**given: int) -> dict[str, int]:
        return given

    tagged: Any = anything
    assert tagged(a=1, b=2) == {"a": 1, "b": 2}
    assert tagged(a=1, _airlock_tier="small") == {"a": 1}
    for unknown in ("_airlock_", "_airlock_x", "_airlock_Tier", "_airlock_session"):
        assert reason(tagged(a=1, **{unknown: 1})) == "ghost_arguments"
    assert reason(tagged(a="1")) == "validation_error"


def test_a_function_may_not_declare_the_gates_keywords() -> None:
    with pytest.raises(TypeError, match="_airlock_"):
        Airlock(lambda _airlock_tier: None)


def test_the_mode_of_unknown_arguments_is_checked() -> None:
    assert AirlockConfig(unknown_args="block").unknown_args is UnknownArgsMode.BLOCK  # type: ignore[arg-type]
    for wrong in ("strip", None, []):
        with pytest.raises(ValueError, match=r"AirlockConfig\.unknown_args must be one of block"):
            AirlockConfig(unknown_args=wrong)  # type: ignore[arg-type]
    for field in ("on_blocked", "on_validation_error", "on_event"):
        with pytest.raises(TypeError, match=rf"AirlockConfig\.{field} must be callable or None, not 5"):
            AirlockConfig(**{field: 5})  # type: ignore[arg-type]


# --- types -----------------------------------------------------------------------------------------------


NIGHT = datetime(2026, 11, 24, 3, tzinfo=UTC)
ID = uuid.UUID("12345678-1234-5678-1234-567812345678")


@pytest.mark.parametrize(
    ("annotation", "given", "got"),
    [
        (int, 5, 5),
        (float, 5, 5.0),
        (date, "2026-11-24", date(2026, 11, 24)),
        (date, date(2026, 11, 24), date(2026, 11, 24)),
        (datetime, "2026-11-24T03:00:00Z", NIGHT),
        (Colour, "red", Colour.RED),
        (Colour, Colour.RED, Colour.RED),
        (uuid.UUID, str(ID), ID),
        (Decimal, "0.1", Decimal("0.1")),
        (tuple[int, str], [1, "a"], (1, "a")),
        (tuple[int, ...], [1, 2], (1, 2)),
        (set[int], [1, 1], {1}),
        (bytes, "é", "é".encode()),
        (Literal["a", 1], "a", "a"),
        (Point, {"x": 1}, Point(x=1)),
        (Point, {"x": 1, "when": "2026-11-24"}, Point(x=1, when=date(2026, 11, 24))),
        (Line, {"start": {"x": 1}, "end": {"x": 2}}, Line(start=Point(x=1), end=Point(x=2))),
        (Box, {"width": 1, "corner": {"x": 2}}, Box(1, Point(x=2))),
        (list[Box], [{"width": 1, "corner": {"x": 2}}], [Box(1, Point(x=2))]),
        (dict[str, tuple[int, int]], {"a": [1, 2]}, {"a": (1, 2)}),
        (int | None, None, None),
        (Any, object, object),
        (Callable[..., Any], print, print),
        (int, 10**5000, 10**5000),
    ],
    ids=lambda value: str(value)[:40] if not isinstance(value, int) else "int",
)
def test_a_value_that_fits_passes_as_its_type(annotation: Any, given: Any, got: Any) -> None:
    assert taking(annotation)(given) == got
    assert type(taking(annotation)(value=given)) is type(got)


@pytest.mark.parametrize(
    ("annotation", "given"),
    [
        (int, "5"),
        (int, 5.0),
        (int, 5.5),
        (int, True),
        (int, None),
        (int, 10.0**300),
        (bool, 1),
        (bool, "true"),
        (str, 5),
        (str, b"x"),
        (float, "1.5"),
        (list[int], (1, 2)),
        (list[int], ["1"]),
        (tuple[int, int], [1, 2, 3]),
        (date, "yesterday"),
        (Colour, "blue"),
        (uuid.UUID, "not one"),
        (Point, {"x": "1"}),
        (Point, {}),
        (Line, {"start": {"x": 1}}),
        (Box, {"width": "1", "corner": {"x": 1}}),
        (Annotated[int, Field(gt=0)], 0),
    ],
)
def test_a_value_that_does_not_fit_is_blocked(annotation: Any, given: Any) -> None:
    assert reason(taking(annotation)(given)) == "validation_error"


def test_one_argument_from_json_does_not_loosen_the_others() -> None:
    @Airlock
    def book(day: date, nights: int, *guests: Colour, **extra: uuid.UUID) -> Any:
        return day, nights, guests, extra

    call: Any = book
    assert call("2026-11-24", 2, "red", key=str(ID)) == (date(2026, 11, 24), 2, (Colour.RED,), {"key": ID})
    answer = call("2026-11-24", "2", "blue", key="x")
    assert [error["argument"] for error in answer["metadata"]["errors"]] == ["nights", "guests", "key"]


def test_missing_surplus_and_doubled_arguments_are_blocks() -> None:
    for args, kwargs in (((), {}), (("x", 1, 2), {}), (("x",), {"query": "y"})):
        answer = SEARCH(*args, **kwargs)
        assert reason(answer) == "validation_error"
        assert "search(query: " in answer["fix_hints"][0]


def test_constraints_in_a_default_hold_in_both_modes() -> None:
    @Airlock
    def roll(sides: int = Field(gt=0), day: date | None = Field(default=None)) -> Any:  # noqa: B008
        return sides, day

    call: Any = roll
    assert call(6) == (6, None)
    assert call(6, "2026-11-24") == (6, date(2026, 11, 24))
    assert reason(call(-1)) == "validation_error"
    assert reason(call(-1, "2026-11-24")) == "validation_error"
    assert reason(call()) == "validation_error"
    assert reason(call(day="2026-11-24")) == "validation_error"


def test_keywords_of_an_unpacked_typed_dict_are_checked() -> None:
    class Options(TypedDict, total=False):
        day: date

    @Airlock
    def plan(**options: Unpack[Options]) -> Any:
        return options

    call: Any = plan
    assert call(day="2026-11-24") == {"day": date(2026, 11, 24)}
    assert reason(call(day=5.5)) == "validation_error"


def test_a_positional_only_name_may_be_a_keyword_of_another_argument() -> None:
    @Airlock
    def tool(name: str, /, **other: int) -> Any:
        return name, other

    call: Any = tool
    assert call("a", name=1) == ("a", {"name": 1})
    assert reason(call("a", name="1")) == "validation_error"


def test_defaults_are_the_functions_own_object() -> None:
    marker = object()

    @Airlock
    def tool(day: date | None, items: Any = marker) -> Any:
        return items

    assert tool(None) is marker
    assert tool("2026-11-24") is marker  # type: ignore[arg-type]


# --- names that are not there yet ------------------------------------------------------------------------


@Airlock
def early(value: Later) -> Any:
    return value


class Later(BaseModel):
    x: int


def test_a_type_that_is_defined_after_the_function_is_found() -> None:
    assert early({"x": 1}) == Later(x=1)  # type: ignore[arg-type]
    assert reason(early({"x": "1"})) == "validation_error"  # type: ignore[arg-type]


def test_a_type_that_is_local_to_the_functions_maker_is_found() -> None:
    class Local(BaseModel):
        x: int

    @Airlock
    def tool(value: Local) -> Any:
        return value

    class Holder:
        @Airlock
        def method(self, value: list[Local]) -> Any:
            return value

    assert tool({"x": 1}) == Local(x=1)  # type: ignore[arg-type]
    assert Holder().method([{"x": 1}]) == [Local(x=1)]  # type: ignore[list-item]


def test_a_result_that_only_type_checkers_know_is_no_obstacle() -> None:
    @Airlock
    def tool(value: int) -> Nothing:
        return value

    assert tool(5) == 5
    assert reason(tool("5")) == "validation_error"  # type: ignore[arg-type]


def test_an_argument_of_a_type_that_does_not_exist_is_the_developers_error() -> None:
    @Airlock
    def tool(value: Nothing) -> Any:
        return value

    with pytest.raises(NameError, match="Nothing"):
        tool(5)


# --- hostile values --------------------------------------------------------------------------------------


class Hostile:
    def _fail(self, *_: object) -> Any:
        raise RuntimeError("hunter2")

    __repr__ = __str__ = __eq__ = __hash__ = __len__ = __iter__ = __bool__ = __int__ = __getattr__ = _fail


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "annotation", [int, str, list[int], dict[str, int], Literal["a"], Colour, Point, Box, date, int | Point, set[int]],
)  # fmt: skip
@pytest.mark.parametrize(
    "value", [Hostile(), [Hostile()], {"x": Hostile()}, nested(50_000), [10**6000, "x"], {"x": nested(200)}],
    ids=["hostile", "in a list", "in a dict", "very deep", "huge", "deep"],
)  # fmt: skip
def test_a_hostile_value_is_a_block_not_a_crash(annotation: Any, value: Any) -> None:
    answer = taking(annotation)(value)
    assert reason(answer) == "validation_error"
    assert "hunter2" not in str(answer)


def shout(value: str) -> str:
    raise ValueError(f"do not say {value.upper()}")


def stumble(value: str) -> str:
    raise KeyError(value)


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


SECRET = "hunter2-swordfish"


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, SECRET),
        (list[int], [SECRET]),
        (Literal["a"], SECRET),
        (Colour, SECRET),
        (date, SECRET),
        (Annotated[str, Field(max_length=3)], SECRET),
        (Annotated[str, Field(pattern="^x")], SECRET),
        (Annotated[str, AfterValidator(shout)], SECRET),
        (Annotated[str, AfterValidator(stumble)], SECRET),
        (Annotated[Cat | Dog, Field(discriminator="kind")], {"kind": SECRET}),
        (dict[str, int], {SECRET: "x"}),
        (Point, {"x": SECRET}),
    ],
)
def test_an_error_never_repeats_a_value(annotation: Any, value: Any) -> None:
    answer = taking(annotation)(value)
    assert reason(answer) == "validation_error"
    assert "hunter2" not in str(answer).lower()


def test_what_a_validator_says_of_its_own_is_told() -> None:
    def even(value: int) -> int:
        if value % 2:
            raise ValueError("must be an even number")
        return value

    assert "must be an even number" in taking(Annotated[int, AfterValidator(even)])(5)["error"]


def test_a_default_is_never_shown() -> None:
    @Airlock
    def connect(host: str, password: str = SECRET) -> None: ...

    assert "hunter2" not in str(connect())  # type: ignore[call-arg]
