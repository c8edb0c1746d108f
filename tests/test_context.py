"""Who is calling: the context variable, its threads and tasks, and contexts in arguments."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, Mock

import pytest

from agent_airlock import (
    Airlock,
    AirlockContext,
    Budget,
    ContextExtractor,
    MemoryLedger,
    SecurityPolicy,
    get_current_context,
    reset_context,
    set_current_context,
)


def test_nobody_is_calling_outside_of_a_context() -> None:
    assert get_current_context() is None


def test_contexts_nest_and_one_may_be_entered_twice() -> None:
    outer, inner = AirlockContext(agent_id="outer"), AirlockContext(agent_id="inner")
    with outer as entered:
        assert entered is outer
        with inner, outer:
            assert get_current_context() is outer
        assert get_current_context() is outer
    assert get_current_context() is None


def test_it_is_left_when_its_block_raises() -> None:
    with pytest.raises(KeyError), AirlockContext():
        raise KeyError
    assert get_current_context() is None


async def test_it_is_an_async_context_manager_too() -> None:
    async with AirlockContext(agent_id="a") as context:
        assert get_current_context() is context
    assert get_current_context() is None


def test_leaving_out_of_order_takes_out_that_context_and_no_other() -> None:
    first, second = AirlockContext(), AirlockContext()
    first.__enter__()
    second.__enter__()
    first.__exit__()
    assert get_current_context() is second
    second.__exit__()
    second.__exit__()
    assert get_current_context() is None


async def test_an_async_generator_that_is_closed_elsewhere_leaves_nothing_behind() -> None:
    async def stream() -> AsyncIterator[int]:
        with AirlockContext(agent_id="stream"):
            yield 1

    items = stream()
    await asyncio.create_task(anext(items))  # type: ignore[arg-type]
    await items.aclose()  # type: ignore[attr-defined]
    assert get_current_context() is None


def test_threads_do_not_meet_in_one_instance() -> None:
    shared = AirlockContext(agent_id="shared")
    barrier = threading.Barrier(8)
    seen: list[bool] = []

    def enter() -> None:
        seen.append(get_current_context() is None)
        for _ in range(200):
            barrier.wait(10)
            with shared, AirlockContext() as mine:
                seen.append(get_current_context() is mine)
            seen.append(get_current_context() is None)

    threads = [threading.Thread(target=enter) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8 * 401
    assert all(seen)


async def test_tasks_do_not_meet_in_one_instance() -> None:
    shared = AirlockContext(agent_id="shared")

    async def enter(pause: int) -> None:
        async with shared:
            async with AirlockContext() as mine:
                for _ in range(pause):
                    await asyncio.sleep(0)
                assert get_current_context() is mine
            assert get_current_context() is shared
        assert get_current_context() is None

    await asyncio.gather(*(enter(pause) for pause in range(20)))


def test_a_copied_context_is_inherited() -> None:
    with AirlockContext() as context:
        copied = contextvars.copy_context()
    assert copied.run(get_current_context) is context


def test_it_can_be_set_and_reset_without_a_block() -> None:
    context = AirlockContext()
    token = set_current_context(context)
    assert get_current_context() is context
    reset_context(token)
    assert get_current_context() is None
    for wrong in (None, {"agent_id": "a"}, "a"):
        with pytest.raises(TypeError, match="takes an AirlockContext"):
            set_current_context(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        *((f"{kind}_id", 5, "text or None") for kind in ("agent", "session", "workspace", "team", "user")),
        ("roles", "admin", "a sequence of texts"),
        ("roles", 5, "a sequence of texts"),
        ("roles", [5], "a sequence of texts"),
        ("metadata", None, "a mapping"),
        ("metadata", [("a", 1)], "a mapping"),
    ],
)
def test_a_wrong_context_is_refused_with_its_field(field: str, value: Any, allowed: str) -> None:
    with pytest.raises(TypeError, match=rf"AirlockContext\.{field} must be {allowed}"):
        AirlockContext(**{field: value})


def test_its_repr_shows_neither_metadata_nor_the_users_own() -> None:
    context: AirlockContext[str] = AirlockContext(agent_id="a", user_context="secret", metadata={"key": "secret"})
    assert "secret" not in repr(context)
    assert context.user_context == "secret"


def test_it_is_generic() -> None:
    assert AirlockContext[int](user_context=5).user_context == 5


# --- in arguments ----------------------------------------------------------------------------------------


class Named(AirlockContext[None]):
    pass


@pytest.mark.parametrize("context", [AirlockContext(), Named()])
def test_a_context_is_found_itself_and_in_a_wrapper_by_place_and_by_name(context: AirlockContext[Any]) -> None:
    for value in (context, SimpleNamespace(context=context), SimpleNamespace(ctx=context)):
        assert ContextExtractor.extract([1, value], {}) is context
        assert ContextExtractor.extract([], {"x": "y", "wrapper": value}) is context


def test_places_come_before_names_and_the_first_counts() -> None:
    first, second, third = AirlockContext(), AirlockContext(), AirlockContext()
    assert ContextExtractor.extract([SimpleNamespace(ctx=first), second], {"c": third}) is first
    assert ContextExtractor.extract([SimpleNamespace(context=None, ctx=first)], {}) is first


class Raising:
    @property
    def context(self) -> Any:
        raise RuntimeError

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise RuntimeError


@pytest.mark.parametrize(
    "value",
    [
        {"context": AirlockContext()},
        [AirlockContext()],
        SimpleNamespace(context={"agent_id": "a"}),
        SimpleNamespace(context=SimpleNamespace(agent_id="a", metadata={}, roles=["admin"])),
        SimpleNamespace(context=AirlockContext),
        MagicMock(),
        Mock(spec=AirlockContext),
        SimpleNamespace(context=Mock(spec=AirlockContext)),
        AirlockContext,
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_instances_count(value: Any) -> None:
    assert ContextExtractor.extract([value], {"value": value}) is None


def test_an_object_that_lies_and_raises_is_none() -> None:
    assert ContextExtractor.extract([Raising()], {"value": Raising()}) is None


# --- sessions --------------------------------------------------------------------------------------------


def test_a_session_budget_without_a_session_says_how_to_name_one_once(caplog: pytest.LogCaptureFixture) -> None:
    policy = SecurityPolicy(budgets=[Budget("session:*", "2 calls")])
    gated: Any = Airlock(policy=policy, ledger=MemoryLedger())(lambda: "ran")
    assert [gated(), gated()] == ["ran", "ran"]
    answer = gated()
    assert any("AirlockContext(session_id=…)" in hint for hint in answer["fix_hints"])
    assert len([record for record in caplog.records if "AirlockContext(session_id=…)" in record.getMessage()]) == 1
    with AirlockContext(session_id="s1"):
        assert gated() == "ran"
