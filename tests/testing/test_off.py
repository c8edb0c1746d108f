"""Gates that are off: functions run as they are, everywhere, and it is never silent."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from agent_airlock import Airlock, Cost, CostTracker, SecurityPolicy, get_global_tracker, set_global_tracker
from agent_airlock.testing import RecordingLedger, airlock_off

NOBODY = SecurityPolicy(denied_tools=["*"], rate_limits={"*": "0/hour"})


@pytest.fixture
def ledger() -> Iterator[RecordingLedger]:
    set_global_tracker(CostTracker())
    yield RecordingLedger()
    set_global_tracker(None)


def gated(ledger: RecordingLedger, function: Any) -> Any:
    return Airlock(policy=NOBODY, ledger=ledger, cost=Cost("1 USD"))(function)


def plain(text: str = "a") -> str:
    return text


async def coroutine(text: str = "a") -> str:
    return text


def generator(text: str = "a") -> Iterator[str]:
    got = yield text
    yield got


async def async_generator(text: str = "a") -> AsyncIterator[str]:
    yield text


async def test_every_kind_of_function_runs_as_it_is_and_nothing_is_counted(ledger: RecordingLedger) -> None:
    with airlock_off():
        assert gated(ledger, plain)(text=5, _airlock_tier="x") == 5
        assert await gated(ledger, coroutine)("b") == "b"
        stream = gated(ledger, generator)("c")
        assert (next(stream), stream.send("d")) == ("c", "d")
        assert [item async for item in gated(ledger, async_generator)("e")] == ["e"]
        with pytest.raises(TypeError, match="txt"):
            gated(ledger, plain)(txt="a")
    assert ledger.asked == []
    assert get_global_tracker().get_summary().total_calls == 0
    assert gated(ledger, plain)()["status"] == "blocked", "on again"


def test_blocks_nest_and_hold_in_every_thread(ledger: RecordingLedger) -> None:
    function, answers = gated(ledger, plain), []
    with airlock_off():
        with airlock_off():
            pass
        thread = threading.Thread(target=lambda: answers.append(function()))
        thread.start()
        thread.join()
    assert answers == ["a"]
    assert function()["status"] == "blocked"


def test_gates_are_on_again_after_an_exception(ledger: RecordingLedger) -> None:
    with pytest.raises(KeyError), airlock_off():
        raise KeyError
    assert gated(ledger, plain)()["status"] == "blocked"


def test_it_decorates_a_test(ledger: RecordingLedger) -> None:
    @airlock_off()
    def a_test() -> Any:
        return gated(ledger, plain)()

    assert [a_test(), a_test()] == ["a", "a"]
    assert gated(ledger, plain)()["status"] == "blocked"


def test_a_call_that_was_admitted_settles_though_gates_went_off_meanwhile() -> None:
    ledger = RecordingLedger()

    @Airlock(policy=SecurityPolicy(rate_limits={"*": "9/hour"}), ledger=ledger)
    def long() -> str:
        context = airlock_off()
        context.__enter__()
        contexts.append(context)
        return "done"

    contexts: list[Any] = []
    assert long() == "done"
    contexts[0].__exit__(None, None, None)
    assert ledger.verbs == ["Reserve", "Settle"]


def test_that_gates_are_off_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with airlock_off():
        pass
    assert [(record.levelno, "gates are off" in record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, True)
    ]
