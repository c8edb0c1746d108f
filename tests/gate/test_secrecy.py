"""What passes through a gate stays with its caller: no log, event, ledger entry, block or repr repeats it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from agent_airlock import (
    Airlock,
    AirlockBlocked,
    AirlockConfig,
    AirlockContext,
    AirlockResponse,
    Budget,
    BudgetConfig,
    Cost,
    CostTracker,
    MemoryLedger,
    ModelTierBudget,
    SecurityPolicy,
    TierBudget,
    TokenUsage,
    set_global_tracker,
)
from agent_airlock.call import Call, Raised, Returned
from agent_airlock.context import get_current_context
from agent_airlock.ledger.commands import Command, Entries, Reserve, Settle
from agent_airlock.quote import Gate
from tests.gate.rig import AsyncBook, Events, Recording, Scripted, all_logs, priced

SECRET = "hunter2-4f1c"


class Leaky(Exception):
    def __init__(self) -> None:
        super().__init__(SECRET)
        self.usage = {"input_tokens": SECRET, "output_tokens": -1}


class Watch:
    """Everything that the gate says to anybody but its caller."""

    def __init__(self, book: Any = None) -> None:
        self.events = Events()
        self.book = book or Recording()
        self.blocks: list[Any] = []
        self.records: list[Any] = []
        self.objects: list[object] = []
        self.tracker = priced(budget=BudgetConfig(max_cost_per_session="0.10"))
        self.tracker.add_callback(self.records.append)
        set_global_tracker(self.tracker)
        self.policy = SecurityPolicy(
            budgets=[Budget("session:*", "0.10 USD", warn_at=0.1), Budget("tool:*", "0.01 USD", mode="observe")],
            model_tier_budget=ModelTierBudget({"small": TierBudget(2, 1000)}, "small"),
        )
        self.config = AirlockConfig(
            on_event=self.events.heard.append, on_blocked=self.blocks.append, on_validation_error=self.blocks.append
        )

    def gate(self, function: Callable[..., Any], **options: Any) -> Any:
        options = {"policy": self.policy, "config": self.config, "ledger": self.book, "cost": Cost.model(), **options}
        gated = Airlock(**options)(function)
        self.objects.append(gated)
        return gated

    def said(self, logs: list[logging.LogRecord]) -> dict[str, str]:
        format_record = logging.Formatter("%(message)s").format
        inner: MemoryLedger = self.book.inner
        said = {f"log {number}": format_record(record) + repr(vars(record)) for number, record in enumerate(logs)}
        said |= {f"event {event.kind}": repr(event) for event in self.events.heard}
        said |= {f"block {number}": repr(block) for number, block in enumerate(self.blocks)}
        said |= {f"record {number}": repr(record) for number, record in enumerate(self.records)}
        said |= {f"command {number}": repr(command) for number, command in enumerate(self.book.asked)}
        said["entries"] = repr(inner.apply(Entries()))
        said["records"] = repr([self.tracker.get_records(), self.tracker.get_summary(), self.tracker.epoch.balances()])
        said["objects"] = repr([self.policy, self.config, self.tracker, get_current_context(), *self.objects])
        return said


CONTEXT: AirlockContext[Any] = AirlockContext(
    agent_id="a", session_id="s", user_context={"token": SECRET}, metadata={"password": SECRET}
)


def assert_secret(watch: Watch, logs: list[logging.LogRecord]) -> None:
    said = watch.said(logs)
    assert len(said) > 5, "nothing was said, so nothing was shown"
    assert [where for where, text in said.items() if SECRET in text] == []


def returns(prompt: str, *rest: str, key: str = "", **more: str) -> Any:
    return {"text": SECRET, "usage": {"input_tokens": SECRET}}


def raises(prompt: str, *rest: str, key: str = "", **more: str) -> Any:
    raise Leaky


def typed(prompt: int, *rest: int, key: int = 0) -> Any:
    return SECRET


def stream(prompt: str, *rest: str, key: str = "", **more: str) -> Iterator[str]:
    yield SECRET
    raise Leaky


def overpriced(prompt: str, *rest: str, key: str = "", **more: str) -> Any:
    raise AssertionError("it ran")


@pytest.mark.parametrize("function", [returns, raises, typed, stream, overpriced], ids=lambda f: f.__name__)
@pytest.mark.parametrize("on_block", ["return", "raise"])
def test_what_passes_through_is_repeated_nowhere(function: Callable[..., Any], on_block: str) -> None:
    with all_logs() as logs:
        watch = Watch()
        gated = watch.gate(function, on_block=on_block)
        tags = {"_airlock_input_tokens": 50_000} if function is overpriced else {}
        for more in ({"key": SECRET}, {"key": SECRET, "keyy": SECRET}):
            with CONTEXT:
                try:
                    answer = gated(SECRET, SECRET, **more, **tags)
                    if function is stream:
                        list(answer)
                except Leaky:
                    pass
                except AirlockBlocked as block:
                    watch.blocks += [block, str(block), block.to_block_metadata(), block.response.to_dict()]
                else:
                    if isinstance(answer, dict) and answer.get("success") is False:
                        watch.blocks.append(answer)
        assert_secret(watch, logs)
    if function in (typed, overpriced):
        assert watch.blocks


@pytest.mark.parametrize("kind", [Reserve, Settle])
def test_a_ledger_that_fails_with_a_secret_in_its_text_is_not_repeated(kind: type[Command[Any]]) -> None:
    def fail() -> None:
        raise OSError(f"postgres://user:{SECRET}@host")

    with all_logs() as logs:
        watch = Watch(Scripted(kind, before=fail))
        watch.gate(returns)(SECRET)
        assert_secret(watch, logs)


@pytest.mark.parametrize("cost", [Cost(lambda arguments: arguments["prompt"]), Cost(lambda arguments: 1 / 0)])
def test_a_price_function_that_fails_over_its_arguments_is_not_repeated(cost: Cost) -> None:
    with all_logs() as logs:
        watch = Watch()
        watch.blocks.append(watch.gate(returns, cost=cost)(SECRET))
        assert_secret(watch, logs)


def test_a_tier_resolver_that_fails_is_not_repeated() -> None:
    def resolver(model_id: str) -> str:
        raise KeyError(SECRET)

    with all_logs() as logs:
        watch = Watch()
        watch.policy = SecurityPolicy(
            budgets=watch.policy.budgets,
            model_tier_budget=ModelTierBudget({"small": TierBudget(2, 100)}, "small", resolver),
        )
        watch.gate(returns)(SECRET, _airlock_model_id="m")
        assert_secret(watch, logs)


@pytest.mark.parametrize("tag", ["input_tokens", "max_output_tokens"])
@pytest.mark.parametrize("where", ["keyword", "metadata"])
def test_a_tag_that_means_nothing_is_not_repeated(tag: str, where: str) -> None:
    with all_logs() as logs:
        watch = Watch()
        gated = watch.gate(returns)
        if where == "keyword":
            watch.blocks.append(gated("x", **{f"_airlock_{tag}": SECRET}))
        else:
            with AirlockContext(metadata={tag: SECRET}):
                watch.blocks.append(gated("x"))
        assert watch.blocks[0]
        assert_secret(watch, logs)


async def test_async_functions_and_streams_too() -> None:
    async def answer(prompt: str) -> str:
        raise Leaky

    async def items(prompt: str) -> AsyncIterator[str]:
        yield SECRET
        raise Leaky

    with all_logs() as logs:
        watch = Watch(AsyncBook())
        with CONTEXT:
            with pytest.raises(Leaky):
                await watch.gate(answer)(SECRET)
            with pytest.raises(Leaky):
                _ = [item async for item in watch.gate(items)(SECRET)]
        assert_secret(watch, logs)


def test_the_repr_of_a_call_and_its_outcome_shows_no_argument_or_result() -> None:
    call = Call("ask", (SECRET,), {"key": SECRET}, ("prompt",), (CONTEXT,))
    shown = [repr(value) for value in (call, Returned(SECRET, SECRET), Raised(Leaky()))]
    assert not any(SECRET in text for text in shown)


def test_the_repr_of_a_quote_shows_no_argument() -> None:
    set_global_tracker(CostTracker())
    gate = Gate(
        "ask", SecurityPolicy(), config=AirlockConfig(), ledger=MemoryLedger(), cost=Cost.free(), nothing_spent_on=()
    )
    call = Call("ask", (SECRET,), {}, ("prompt",), ())
    assert SECRET not in repr(gate.quote(call))


def test_the_repr_of_a_context_and_a_usage_shows_no_payload() -> None:
    assert SECRET not in repr(CONTEXT)
    assert SECRET not in repr(TokenUsage(1, 2))


def test_the_repr_of_a_success_shows_no_result() -> None:
    assert SECRET not in repr(AirlockResponse.success_response(SECRET))
