"""``@Airlock`` over every kind of function: what it keeps, what it answers, what it lets through."""

from __future__ import annotations

import functools
import gc
import inspect
import logging
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from agent_airlock import (
    Airlock,
    AirlockBlocked,
    AirlockConfig,
    AirlockContext,
    AirlockResponse,
    Budget,
    Cost,
    CostTracker,
    MemoryLedger,
    PolicyViolation,
    SecurityPolicy,
    airlock,
    set_global_tracker,
)
from agent_airlock.exceptions import GhostArgumentsBlocked, ValidationBlocked

NONE = SecurityPolicy(default_deny=True)


@pytest.fixture(autouse=True)
def _tracker() -> Iterator[None]:
    set_global_tracker(CostTracker())
    yield
    set_global_tracker(None)


# --- the forms -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decorate", [Airlock, Airlock(), airlock, airlock(policy=SecurityPolicy())])
def test_it_is_used_bare_and_called(decorate: Any) -> None:
    @decorate
    def double(x: int) -> int:
        return 2 * x

    assert double(4) == 8


def test_what_the_function_is_survives() -> None:
    def add(x: int, *, y: int = 3) -> int:
        """Add."""
        return x + y

    gated: Any = Airlock(add)
    assert inspect.signature(gated) == inspect.signature(add)
    assert gated.__annotations__ == add.__annotations__
    assert (gated.__doc__, gated.__name__, gated.__qualname__, gated.__module__) == (
        add.__doc__, add.__name__, add.__qualname__, add.__module__,
    )  # fmt: skip
    assert inspect.unwrap(gated) is add


def test_each_kind_of_function_stays_its_kind() -> None:
    def plain() -> None: ...
    async def coroutine() -> None: ...
    def generator() -> Iterator[int]:
        yield 1

    async def async_generator() -> AsyncIterator[int]:
        yield 1

    kinds = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    functions: tuple[Any, ...] = (plain, coroutine, generator, async_generator)
    for function in functions:
        assert [is_it(Airlock(function)) for is_it in kinds] == [is_it(function) for is_it in kinds]


class Tool:
    def __init__(self, factor: int) -> None:
        self.factor = factor

    @Airlock
    def method(self, x: int) -> int:
        return self.factor * x

    @Airlock
    async def async_method(self, x: int) -> int:
        return self.factor * x

    @classmethod
    @Airlock
    def below_classmethod(cls, x: int) -> str:
        return f"{cls.__name__}{x}"

    @Airlock
    @classmethod
    def above_classmethod(cls, x: int) -> str:
        return f"{cls.__name__}{x}"

    @staticmethod
    @Airlock
    def below_staticmethod(x: int) -> int:
        return x

    @Airlock
    @staticmethod
    def above_staticmethod(x: int) -> int:
        return x


class Heir(Tool):
    pass


@pytest.mark.parametrize("kind", ["below", "above"])
def test_class_and_static_methods_in_both_orders(kind: str) -> None:
    for holder in (Heir, Heir(3)):
        assert getattr(holder, f"{kind}_classmethod")(5) == "Heir5"
        assert getattr(holder, f"{kind}_staticmethod")(5) == 5
        assert getattr(holder, f"{kind}_classmethod")("5")["block_reason"] == "validation_error"
        assert getattr(holder, f"{kind}_staticmethod")(x="5")["block_reason"] == "validation_error"


async def test_methods_are_bound_to_their_object() -> None:
    assert Tool(3).method(5) == 15
    assert await Tool(3).async_method(5) == 15
    blocked: Any = Tool(3).method(y=5)  # type: ignore[call-arg]
    assert blocked["fix_hints"] == ["Arguments of method: x."], "self is no argument of the caller's"


def test_partials_and_objects_that_are_called_have_their_types_checked() -> None:
    def add(x: int, y: int) -> int:
        return x + y

    class Adder:
        def __call__(self, x: int, y: int) -> int:
            return x + y

    for function in (functools.partial(add, 1), functools.partial(Adder(), 1)):
        gated: Any = Airlock(function)
        assert gated(2) == 3
        assert gated("2")["block_reason"] == "validation_error"


def test_a_wrapped_function_is_checked_as_the_one_it_wraps() -> None:
    def add(x: int) -> int:
        return x

    @functools.wraps(add)
    def logged(*args: Any, **kwargs: Any) -> Any:
        return add(*args, **kwargs)

    gated: Any = Airlock(logged)
    assert gated(2) == 2
    assert gated("2")["block_reason"] == "validation_error"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"policy": "strict"}, "policy"),
        ({"config": {}}, "config"),
        ({"cost": "0.02 USD"}, "cost"),
        ({"on_block": "ignore"}, "on_block=…. must be 'return' or 'raise', not 'ignore'"),
        ({"nothing_spent_on": ValueError}, "nothing_spent_on"),
        ({"nothing_spent_on": ("ValueError",)}, "nothing_spent_on"),
    ],
)
def test_a_wrong_option_raises_at_once_and_is_named(options: Any, said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        Airlock(**options)


def test_only_functions_are_gated() -> None:
    with pytest.raises(TypeError, match="takes a function, not 5"):
        Airlock(5)  # type: ignore[call-overload]


# --- answers ---------------------------------------------------------------------------------------------


def test_a_success_is_the_functions_own_result() -> None:
    thing = object()
    assert Airlock(lambda: thing)() is thing


async def test_return_dict_answers_a_dict_either_way() -> None:
    @Airlock(return_dict=True)
    def double(x: int) -> int:
        return 2 * x

    @Airlock(return_dict=True)
    async def later(x: int) -> int:
        return 2 * x

    expected = {"success": True, "status": "ok", "result": 8, "metadata": {"tool": "double"}}
    assert double(4) == expected
    assert (await later(4))["result"] == 8
    assert double("4")["success"] is False  # type: ignore[arg-type]


def test_a_block_is_a_dict() -> None:
    answer: Any = Airlock(policy=NONE)(lambda: 1)()
    assert answer["success"] is False
    assert answer["status"] == "blocked"
    assert answer["error"].startswith("AIRLOCK_BLOCK: ")
    assert answer.keys() == {"success", "status", "error", "block_reason", "fix_hints", "metadata"}


def test_a_block_is_raised_where_it_is_asked_for() -> None:
    def double(x: int) -> int:
        return 2 * x

    raising: Any = Airlock(on_block="raise")(double)
    with pytest.raises(GhostArgumentsBlocked):
        raising(x=1, y=2)
    with pytest.raises(ValidationBlocked):
        raising("1")
    with pytest.raises(PolicyViolation) as caught:
        Airlock(policy=NONE, on_block="raise")(double)(1)
    assert isinstance(caught.value.response, AirlockResponse)
    assert caught.value.response.block_reason == "policy_violation"


async def test_generators_always_raise_and_at_the_first_next() -> None:
    def count(n: int) -> Iterator[int]:
        yield from range(n)

    async def acount(n: int) -> AsyncIterator[int]:
        for i in range(n):
            yield i

    stream = Airlock(policy=NONE)(count)(3)
    with pytest.raises(PolicyViolation) as caught:
        next(stream)
    assert caught.value.response.to_dict()["block_reason"] == "policy_violation"
    astream = Airlock(policy=NONE)(acount)(3)
    with pytest.raises(PolicyViolation):
        await anext(astream)  # type: ignore[arg-type]
    assert list(Airlock(count)(3)) == [0, 1, 2]
    assert [i async for i in Airlock(acount)(3)] == [0, 1, 2]


def test_a_generator_takes_what_is_sent_and_thrown_and_returns_its_value() -> None:
    def echo() -> Any:
        try:
            got = yield 1
        except KeyError:
            got = "thrown"
        yield got
        return "done"

    stream = Airlock(echo)()
    assert (next(stream), stream.send("sent")) == (1, "sent")
    with pytest.raises(StopIteration) as stopped:
        next(stream)
    assert stopped.value.value == "done"
    stream = Airlock(echo)()
    next(stream)
    assert stream.throw(KeyError()) == "thrown"


# --- exceptions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [KeyError("x"), KeyboardInterrupt(), SystemExit(3), GeneratorExit()])
async def test_the_functions_exception_passes_through_unchanged(error: BaseException) -> None:
    @Airlock
    def fail() -> None:
        raise error

    @Airlock
    async def afail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        fail()
    assert caught.value is error
    with pytest.raises(type(error)) as caught:
        await afail()
    assert caught.value is error


def test_a_block_of_a_gated_function_inside_is_the_functions_own_exception() -> None:
    inner = Airlock(policy=NONE, on_block="raise")(lambda: 1)
    ledger = MemoryLedger()

    @Airlock(policy=SecurityPolicy(budgets=[Budget("tool:*", "1 calls")]), ledger=ledger)
    def outer() -> Any:
        return inner()

    with pytest.raises(PolicyViolation) as caught:
        outer()
    assert caught.value.response.metadata["tool"] == "<lambda>"
    answer: Any = outer()
    assert answer["block_reason"] == "budget_exceeded", "the outer call has run, and is counted"


def test_gated_inside_gated_is_two_calls() -> None:
    ledger = MemoryLedger()
    gate = Airlock(policy=SecurityPolicy(budgets=[Budget("global", "2 calls")]), ledger=ledger)
    inner = gate(lambda: "inner")
    outer = gate(lambda: inner())
    assert outer() == "inner"
    last: Any = inner()
    assert last["block_reason"] == "budget_exceeded"


# --- the policy and the callbacks ------------------------------------------------------------------------


def test_a_policy_may_be_a_function_of_the_context() -> None:
    seen: list[Any] = []

    def choose(context: AirlockContext[Any]) -> SecurityPolicy:
        seen.append(context)
        return SecurityPolicy() if context.agent_id == "boss" else NONE

    gated: Any = Airlock(policy=choose)(lambda: "ran")
    assert gated()["block_reason"] == "policy_violation"
    assert isinstance(seen[0], AirlockContext)
    assert seen[0].agent_id is None
    with AirlockContext(agent_id="boss") as boss:
        assert gated() == "ran"
    assert seen[-1] is boss


def test_a_policy_function_must_answer_a_policy() -> None:
    gated: Any = Airlock(policy=lambda _: None)(lambda: "ran")  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match="must answer a SecurityPolicy, not NoneType"):
        gated()


def test_policies_made_for_a_call_do_not_pile_up() -> None:
    made: list[weakref.ref[SecurityPolicy]] = []

    def choose(_: AirlockContext[Any]) -> SecurityPolicy:
        policy = SecurityPolicy()
        made.append(weakref.ref(policy))
        return policy

    gated = Airlock(policy=choose)(lambda: "ran")
    for _ in range(50):
        gated()
    gc.collect()
    assert sum(policy() is not None for policy in made) < 10


def test_a_policy_from_a_function_may_explain_all() -> None:
    policy = SecurityPolicy(budgets=[Budget("global", "0 calls")], explain="all")
    gated: Any = Airlock(policy=lambda _: policy, ledger=MemoryLedger())(lambda: "ran")
    assert gated()["metadata"]["refusal"]["limit"] == "0 calls"


def test_callbacks_get_the_response_and_cannot_break_a_call(caplog: pytest.LogCaptureFixture) -> None:
    blocked: list[AirlockResponse] = []
    invalid: list[AirlockResponse] = []

    def on_blocked(response: AirlockResponse) -> None:
        blocked.append(response)
        raise RuntimeError("mine")

    config = AirlockConfig(on_blocked=on_blocked, on_validation_error=invalid.append)

    @Airlock(config=config)
    def double(x: int) -> int:
        return 2 * x

    answer: Any = double("4")  # type: ignore[arg-type]
    assert answer == blocked[0].to_dict() == invalid[0].to_dict()
    double(4, y=5)  # type: ignore[call-arg]
    assert [response.block_reason for response in blocked] == ["validation_error", "ghost_arguments"]
    assert len(invalid) == 1
    assert double(4) == 8
    assert len(blocked) == 2
    assert "a callback of agent_airlock raised" in caplog.text


# --- the order -------------------------------------------------------------------------------------------


def test_the_checks_are_asked_in_order_and_an_early_block_costs_no_budget() -> None:
    ledger = MemoryLedger()

    @Airlock(
        policy=SecurityPolicy(allowed_roles=["paid"], budgets=[Budget("global", "1 USD")]),
        ledger=ledger,
        cost=Cost("1 USD"),
    )
    def buy(x: int) -> str:
        return "bought"

    call: Any = buy
    assert call("1", y=2)["block_reason"] == "ghost_arguments", "names before types"
    assert call("1")["block_reason"] == "validation_error", "arguments before access"
    assert call(1)["block_reason"] == "policy_violation", "access before budget"
    with AirlockContext(roles=["paid"]):
        assert call(1) == "bought"
        assert call("1")["block_reason"] == "validation_error"
        assert call(1)["block_reason"] == "budget_exceeded"


def test_a_blocked_call_never_reaches_the_function_and_logs_no_argument(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ran: list[str] = []

    @Airlock(policy=NONE)
    def keep(secret: str) -> None:
        ran.append(secret)

    keep("hunter2")
    keep(secret=b"hunter2")  # type: ignore[arg-type]
    assert not ran
    assert "hunter2" not in caplog.text


def test_airlock_blocked_is_a_runtime_error() -> None:
    assert issubclass(AirlockBlocked, RuntimeError), "agent frameworks retry a bare Exception"


@pytest.mark.parametrize("ledger", ["sqlite:///budgets.db", MemoryLedger, 5], ids=repr)
def test_a_ledger_that_is_none_is_refused_when_the_function_is_decorated(ledger: Any) -> None:
    with pytest.raises(TypeError, match="ledger"):
        Airlock(ledger=ledger)(lambda: "ran")


def test_flags_and_callbacks_that_are_none_are_refused_by_name() -> None:
    with pytest.raises(TypeError, match="return_dict"):
        Airlock(return_dict="no")(lambda: "ran")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="cache_writes"):
        Cost.model("m", cache_writes="no")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="add_callback"):
        CostTracker().add_callback(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="clock"):
        MemoryLedger(clock=5)  # type: ignore[arg-type]


def test_a_raised_block_reads_as_its_response() -> None:
    gated: Any = Airlock(on_block="raise")(lambda: "ran")
    with pytest.raises(AirlockBlocked) as blocked:
        gated(x=1)
    assert str(blocked.value) == blocked.value.response.error
