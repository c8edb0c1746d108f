"""What a hostile, or an unlucky, neighbour of the gate does: once ways past a cap, or to lose a call."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import traceback
import warnings
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import pytest

from agent_airlock import Airlock, AirlockBlocked, Budget, Cost, MemoryLedger, NothingSpent, SecurityPolicy
from tests.gate.rig import CENT, Clock, balances

MARK = "sk-SECRET-9f3a"


def capped(limit: str, **options: Any) -> SecurityPolicy:
    return SecurityPolicy(budgets=[Budget("global", limit)], **options)


class Collecting:
    """A clock that has the garbage collector run once while the ledger holds its lock."""

    def __init__(self) -> None:
        self.ledger: MemoryLedger | None = None
        self.armed = False

    def __call__(self) -> int:
        if self.armed and self.ledger is not None and self.ledger._lock.locked():
            self.armed = False
            gc.collect()
        return Clock()()


@pytest.mark.parametrize("kind", ["coroutine", "async generator"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_is_collected_under_the_ledgers_lock_waits_for_the_next_command(kind: str) -> None:
    clock = Collecting()
    ledger = clock.ledger = MemoryLedger(clock=clock)
    gated = Airlock(policy=capped("1 USD"), ledger=ledger, cost=Cost("0.01 USD"))

    class Forever:
        def __await__(self) -> Iterator[None]:
            yield None

    @gated
    async def call() -> None:
        await Forever()

    @gated
    async def stream() -> AsyncIterator[int]:
        yield 1

    @gated
    def other() -> str:
        return "ok"

    gc.disable()
    try:
        left: Any = call() if kind == "coroutine" else stream()
        step = left if kind == "coroutine" else left.__anext__()
        with contextlib.suppress(StopIteration):
            step.send(None)
        cycle = [left, step]
        cycle.append(cycle)
        del left, step, cycle
        clock.armed = True
        assert other() == "ok"  # it would wait for its own lock for ever
    finally:
        gc.enable()
    assert balances(ledger)["global/usd"].settled == 2 * CENT


@pytest.mark.parametrize("hint", [Iterable[str], Iterable[Any]])
def test_text_behind_a_lazy_annotation_is_counted(hint: Any, ledger: MemoryLedger) -> None:
    def ask(messages: Any) -> str:
        return "ran"

    ask.__annotations__ = {"messages": hint}
    gated: Any = Airlock(policy=capped("0.10 USD"), ledger=ledger, cost=Cost.model())(ask)
    assert gated(["x" * 200_000])["block_reason"] == "budget_exceeded"
    assert gated(text for text in ["x"])["block_reason"] == "validation_error"


def test_a_policy_changed_to_something_wrong_lets_nothing_through(ledger: MemoryLedger) -> None:
    policy = capped("1 USD")

    @Airlock(policy=policy, ledger=ledger, cost=Cost("0.5 USD"))
    def tool() -> str:
        return "ran"

    assert tool() == "ran"
    policy.budgets = [Budget("global", "0.6 USD"), Budget("global", "0.7 USD")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            with pytest.raises(UserWarning):
                tool()
    policy.budgets[:] = [Budget("global", "0.6 USD"), "oops"]  # type: ignore[index]
    for _ in range(3):
        with pytest.raises(TypeError, match="list of Budget"):
            tool()


class Down(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise OSError("disk full")


@pytest.fixture
def broken_log() -> Iterator[None]:
    logger, handler = logging.getLogger("agent_airlock"), Down()
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.mark.usefixtures("broken_log")
def test_a_log_that_cannot_be_written_neither_holds_money_nor_loses_a_result(ledger: MemoryLedger) -> None:
    @Airlock(policy=capped("0.30 USD"), ledger=ledger, cost=Cost("0.1 USD"))
    def tool() -> str:
        return "ran"

    assert [tool() for _ in range(3)] == ["ran"] * 3
    blocked: Any = tool()
    assert blocked["block_reason"] == "budget_exceeded"
    balance = balances(ledger)["global/usd"]
    assert (balance.settled, balance.held) == (30 * CENT, 0)


def test_a_listener_that_leaves_the_process_gives_the_hold_back(ledger: MemoryLedger) -> None:
    from agent_airlock import AirlockConfig

    def leave(event: Any) -> None:
        if event.kind == "admitted":
            raise SystemExit

    @Airlock(policy=capped("1 USD"), ledger=ledger, cost=Cost("0.1 USD"), config=AirlockConfig(on_event=leave))
    def tool() -> str:
        raise AssertionError("it ran")

    with pytest.raises(SystemExit):
        tool()
    assert balances(ledger)["global/usd"].total == 0


def test_nothing_spent_inside_says_nothing_of_the_call_around_it(ledger: MemoryLedger) -> None:
    policy = capped("10 USD")
    shared = NothingSpent("one object, raised again and again")

    @Airlock(policy=policy, ledger=ledger, cost=Cost("0.01 USD"))
    def probe() -> str:
        raise shared

    @Airlock(policy=policy, ledger=ledger, cost=Cost("0.50 USD"))
    def agent() -> str:
        return str(probe())

    for calls in (1, 2):
        with pytest.raises(NothingSpent):
            agent()
        assert balances(ledger)["global/usd"].settled == calls * 50 * CENT
        with pytest.raises(NothingSpent):
            probe()
    assert balances(ledger)["global/usd"].settled == 100 * CENT


async def test_a_call_that_reports_later_is_booked_at_its_estimate_whatever_the_policy_says(
    ledger: MemoryLedger, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer() -> dict[str, Any]:
        return {"usage": {"input_tokens": 1, "output_tokens": 1}}

    policy = capped("1 USD", on_unknown_usage="release")
    gated: Any = Airlock(policy=policy, ledger=ledger, cost=Cost.model())(lambda: answer())
    assert (await gated(_airlock_input_tokens=10_000, _airlock_max_output_tokens=0))["usage"]
    assert "gate a coroutine function" in caplog.text
    assert balances(ledger)["global/usd"].settled == CENT


async def test_an_object_whose_call_is_a_coroutine_function_is_awaited(ledger: MemoryLedger) -> None:
    class Tool:
        async def __call__(self, prompt: str) -> dict[str, Any]:
            await asyncio.sleep(0)
            return {"usage": {"input_tokens": 1_000, "output_tokens": 0}}

    gated: Any = Airlock(policy=capped("1 USD"), ledger=ledger, cost=Cost.model())(Tool())
    await gated("hi", _airlock_max_output_tokens=10)
    assert balances(ledger)["global/usd"].settled == 1_000_000


def test_a_partial_is_the_tool_that_it_calls(ledger: MemoryLedger) -> None:
    def delete_all(what: str) -> str:
        return "deleted"

    policy = SecurityPolicy(denied_tools=["delete_*"])
    gated: Any = Airlock(policy=policy, ledger=ledger)(functools.partial(delete_all, "files"))
    assert gated()["block_reason"] == "policy_violation"


def test_the_traceback_of_a_block_does_not_have_what_was_passed(ledger: MemoryLedger) -> None:
    gated = Airlock(on_block="raise", ledger=ledger)
    priced = Airlock(on_block="raise", ledger=ledger, cost=Cost(lambda arguments: arguments["x"]))

    @gated
    def typed(n: int, d: dict[str, int] | None = None) -> None: ...

    @priced
    def fixed(x: str) -> None: ...

    calls: list[Any] = [lambda: typed(MARK), lambda: typed(1, {"a": MARK}), lambda: fixed(MARK)]  # type: ignore[arg-type, dict-item]
    for call in calls:
        with pytest.raises(AirlockBlocked) as blocked:
            call()
        shown = "".join(traceback.format_exception(blocked.value))
        assert MARK not in shown
        assert MARK not in str(blocked.value)
