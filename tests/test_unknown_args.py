"""Arguments that a function does not have: blocked, or left out."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from agent_airlock import Airlock, AirlockConfig, SecurityPolicy, UnknownArgsMode

MODES = ("strip_and_log", "strip_silent")


def gated(mode: Any, function: Any, **options: Any) -> Any:
    return Airlock(config=AirlockConfig(unknown_args=mode), **options)(function)


def search(query: str, limit: int = 10) -> list[Any]:
    return [query, limit]


@pytest.mark.parametrize("mode", MODES)
def test_what_the_function_does_not_have_is_left_out(mode: str) -> None:
    assert gated(mode, search)("otters", limt=5, verbose=True) == ["otters", 10]
    assert gated(mode, search)(query="otters", limit=5) == ["otters", 5]


@pytest.mark.parametrize("mode", MODES)
def test_what_it_has_is_held_to_its_type_all_the_same(mode: str) -> None:
    assert gated(mode, search)("otters", limit="5", verbose=True)["block_reason"] == "validation_error"
    assert gated(mode, search)(limt=5)["block_reason"] == "validation_error", "query is missing"


def test_the_names_of_what_is_left_out_are_logged_and_their_values_are_not(caplog: pytest.LogCaptureFixture) -> None:
    gated("strip_and_log", search)("otters", **{"secret\nname": "hunter2"})
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert r"'secret\nname'" in record.getMessage()
    assert "hunter2" not in record.getMessage()


def test_silence_is_silence(caplog: pytest.LogCaptureFixture) -> None:
    gated("strip_silent", search)("otters", verbose=True)
    assert caplog.records == []


@pytest.mark.parametrize("mode", MODES)
def test_a_function_that_takes_anything_keeps_it_but_for_what_is_the_gates(mode: str) -> None:
    def anything(**more: Any) -> dict[str, Any]:
        return more

    assert gated(mode, anything)(verbose=True, _airlock_sneaky=1) == {"verbose": True}


@pytest.mark.parametrize("mode", MODES)
def test_a_model_that_names_its_own_tier_is_not_heard(mode: str) -> None:
    policy = SecurityPolicy(tags="context")
    assert gated(mode, search, policy=policy)("otters", _airlock_tier="frontier") == ["otters", 10]


@pytest.mark.parametrize("mode", MODES)
async def test_coroutines_and_generators_too(mode: str) -> None:
    async def answer(query: str) -> str:
        return query

    def items(query: str) -> Any:
        yield query

    async def stream(query: str) -> Any:
        yield query

    assert await gated(mode, answer)("a", b=1) == "a"
    assert list(gated(mode, items)("a", b=1)) == ["a"]
    assert [item async for item in gated(mode, stream)("a", b=1)] == ["a"]


def test_the_modes_are_these() -> None:
    assert [mode.value for mode in UnknownArgsMode] == ["block", "strip_and_log", "strip_silent"]
    with pytest.raises(ValueError, match="block, strip_and_log, strip_silent, not 'ignore'"):
        AirlockConfig(unknown_args="ignore")  # type: ignore[arg-type]
