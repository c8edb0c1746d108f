"""Where the tier and the counts of a call come from, and what becomes of tags that mean nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from agent_airlock import (
    Airlock,
    AirlockContext,
    CostTracker,
    ModelTierBudget,
    SecurityPolicy,
    TierBudget,
    set_global_tracker,
)

BUDGET = ModelTierBudget(
    {name: TierBudget(cents, 1000) for name, cents in (("frontier", 500), ("mid", 100), ("other", 50), ("small", 2))},
    "small",
    lambda model_id: {"big": "frontier", "medium": "mid"}.get(model_id, "small"),
)
POLICY = SecurityPolicy(model_tier_budget=BUDGET)


@pytest.fixture(autouse=True)
def tracker() -> Iterator[CostTracker]:
    tracker = CostTracker(pricing={"default": {"input": "0.01", "output": "0.01"}})
    set_global_tracker(tracker)
    yield tracker
    set_global_tracker(None)


@dataclass
class Wrapper:
    context: Any = None


@dataclass
class ShortWrapper:
    ctx: Any = None


@Airlock(policy=POLICY)
def ask(prompt: str, wrapper: object = None, **other: Any) -> dict[str, Any]:
    return {"token_usage": {"input_tokens": 1, "output_tokens": 1}, "other": other}


ASK: Any = ask


def tier_of(tracker: CostTracker, *args: Any, **kwargs: Any) -> str | None:
    answer = ASK(*args, **kwargs)
    assert "error" not in answer, answer
    return tracker.get_records()[-1].tier


def context(**metadata: Any) -> AirlockContext[None]:
    return AirlockContext(metadata=metadata)


# --- the tier --------------------------------------------------------------------------------------------


def test_nobody_tagged_it_so_the_strict_tier_decides(tracker: CostTracker) -> None:
    assert tier_of(tracker, "hi") == "small"


def test_the_keyword_is_first(tracker: CostTracker) -> None:
    with context(airlock_tier="mid", model_id="big"):
        given = Wrapper(context(airlock_tier="mid"))
        assert tier_of(tracker, "hi", given, _airlock_tier="frontier") == "frontier"


@pytest.mark.parametrize("wrap", [Wrapper, ShortWrapper, lambda context: context])
@pytest.mark.parametrize("place", ["positional", "keyword"])
def test_a_context_in_the_arguments_is_second(wrap: Any, place: str, tracker: CostTracker) -> None:
    given = wrap(context(airlock_tier="mid"))
    with context(airlock_tier="frontier"):
        args, kwargs = (("hi", given), {}) if place == "positional" else (("hi",), {"wrapper": given})
        assert tier_of(tracker, *args, **kwargs) == "mid"


def test_the_context_variable_is_third(tracker: CostTracker) -> None:
    with context(airlock_tier="other", model_id="big"):
        assert tier_of(tracker, "hi") == "other"


def test_the_resolver_is_fourth(tracker: CostTracker) -> None:
    with context(model_id="big"):
        assert tier_of(tracker, "hi") == "frontier"


def test_each_key_is_looked_up_on_its_own(tracker: CostTracker) -> None:
    """A context in the arguments that says nothing of the tier does not hide the context variable's."""
    with context(airlock_tier="frontier"):
        assert tier_of(tracker, "hi", Wrapper(context(model_id="medium"))) == "frontier"
    with context(model_id="medium", input_tokens=40_000):
        assert tier_of(tracker, "hi", Wrapper(context(input_tokens=1))) == "mid"


def test_a_key_that_is_none_is_a_key_that_is_not_there(tracker: CostTracker) -> None:
    with context(airlock_tier="mid"):
        assert tier_of(tracker, "hi", Wrapper(context(airlock_tier=None)), _airlock_tier=None) == "mid"


@pytest.mark.parametrize("fake", [SimpleNamespace(metadata={"airlock_tier": "frontier"}), {"airlock_tier": "frontier"}])
def test_only_an_instance_of_the_context_is_believed(fake: Any, tracker: CostTracker) -> None:
    assert tier_of(tracker, "hi", Wrapper(fake)) == "small"
    assert tier_of(tracker, "hi", {"context": {"metadata": {"airlock_tier": "frontier"}}}) == "small"
    assert tier_of(tracker, "hi", fake) == "small"


def test_what_validation_builds_is_not_believed(tracker: CostTracker) -> None:
    @dataclass
    class Request:
        context: AirlockContext[None] = field(default_factory=AirlockContext)

    @Airlock(policy=POLICY)
    def run(request: Request) -> dict[str, Any]:
        assert request.context.metadata == {"airlock_tier": "frontier"}
        return {}

    answer: Any = run({"context": {"metadata": {"airlock_tier": "frontier"}}})  # type: ignore[arg-type]
    assert answer == {}
    assert tracker.get_records()[-1].tier == "small"


# --- what the function sees ------------------------------------------------------------------------------


def test_the_tags_never_reach_the_function() -> None:
    answer = ASK("hi", _airlock_tier="mid", _airlock_input_tokens=1, _airlock_max_output_tokens=5, mine=7)
    assert answer["other"] == {"mine": 7}


def test_an_unknown_tag_is_a_ghost_even_where_the_function_takes_any_keyword() -> None:
    assert ASK("hi", _airlock_teir="mid")["block_reason"] == "ghost_arguments"


@pytest.mark.parametrize("tag", ["tier", "model_id", "input_tokens", "max_output_tokens"])
def test_with_tags_from_the_context_the_keywords_are_ghosts(tag: str, tracker: CostTracker) -> None:
    @Airlock(policy=SecurityPolicy(model_tier_budget=BUDGET, tags="context"))
    def run(prompt: str) -> dict[str, Any]:
        return {}

    answer: Any = run("hi", **{f"_airlock_{tag}": "mid"})  # type: ignore[arg-type]
    assert answer["block_reason"] == "ghost_arguments"
    with context(airlock_tier="mid"):
        run("hi")
    assert tracker.get_records()[-1].tier == "mid"


# --- tags that mean nothing ------------------------------------------------------------------------------


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError

    __str__ = __repr__


@pytest.mark.parametrize("label", ["gold", "", "Small", 5, True, ["small"], {}, Unprintable()])
def test_an_unknown_label_is_a_policy_violation_that_names_the_known_ones(label: Any) -> None:
    answer = ASK("hi", _airlock_tier=label)
    assert answer["block_reason"] == "policy_violation"
    assert "frontier, mid, other, small" in answer["error"]
    with context(airlock_tier=label):
        assert ASK("hi")["block_reason"] == "policy_violation"


BAD_COUNTS = [-1, True, False, 1.0, 1.5, float("nan"), float("inf"), "5", [], {}, object(), 2**53, 10**5000]


@pytest.mark.parametrize("count", BAD_COUNTS, ids=lambda count: type(count).__name__)
@pytest.mark.parametrize("key", ["input_tokens", "max_output_tokens"])
def test_a_count_that_means_nothing_is_a_block_not_a_crash(key: str, count: Any) -> None:
    answer = ASK("hi", **{f"_airlock_{key}": count})
    assert answer["block_reason"] == "validation_error"
    assert key in answer["error"]
    with context(**{key: count}):
        assert ASK("hi")["block_reason"] == "validation_error"


def test_a_count_that_cannot_be_printed_is_a_block_too() -> None:
    assert ASK("hi", _airlock_input_tokens=Unprintable())["block_reason"] == "validation_error"


@pytest.mark.parametrize("model_id", [5, True, "", ["big"], Unprintable()])
def test_a_model_that_is_not_text_is_a_block(model_id: Any) -> None:
    assert ASK("hi", _airlock_model_id=model_id)["block_reason"] == "validation_error"


# --- the input -------------------------------------------------------------------------------------------


def test_the_input_is_what_the_keyword_says_before_what_the_context_says() -> None:
    with context(input_tokens=10**6):
        assert "error" in ASK("hi")
        assert "error" not in ASK("hi", _airlock_input_tokens=1)


def test_an_input_that_nobody_counted_is_bounded_by_the_calls_text() -> None:
    assert "error" not in ASK("x" * 800)
    answer = ASK("x" * 1_500)
    assert answer["block_reason"] == "budget_exceeded"
    assert "error" in ASK("hi", {"nested": ["x" * 1_500]})
    assert "error" in ASK("hi", mine="x" * 1_500)


def test_text_in_star_arguments_is_counted() -> None:
    @Airlock(policy=POLICY)
    def run(*parts: str) -> dict[str, Any]:
        return {}

    answer: Any = run("x" * 100_000)
    assert answer.get("block_reason") == "budget_exceeded"


def test_text_in_a_positional_only_argument_is_counted_beside_a_keyword_of_its_name() -> None:
    @Airlock(policy=POLICY)
    def run(prompt: str, /, **other: Any) -> dict[str, Any]:
        return {}

    answer: Any = run("x" * 100_000, prompt="x")
    assert answer.get("block_reason") == "budget_exceeded"
