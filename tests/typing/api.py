"""The surface as type checkers see it. Nothing here runs: mypy and pyright read it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator
from decimal import Decimal
from typing import Any, assert_type

from agent_airlock import (
    Airlock,
    AirlockBudgetExceeded,
    AirlockConfig,
    AirlockContext,
    AirlockResponse,
    BlockedResult,
    BudgetEstimate,
    Cost,
    CostTracker,
    MemoryLedger,
    ModelTierBudget,
    ReconciliationRecord,
    SecurityPolicy,
    TierBudget,
    TokenUsage,
    airlock,
    get_current_context,
    handle_budget_exceeded,
    strict_tier_budget_policy,
)

policy = SecurityPolicy()
ledger = MemoryLedger()

# --- a block is returned: R | BlockedResult --------------------------------------------------------------


@Airlock
def bare(x: int, *, y: str = "") -> str:
    return y * x


@Airlock()
def called(x: int) -> float:
    return x


@airlock(policy=policy, ledger=ledger, cost=Cost("0.02 USD"), nothing_spent_on=(ValueError,))
def with_options(x: int) -> float:
    return x


@Airlock(policy=policy, on_block="return")
async def coroutine(x: int) -> float:
    return x


@Airlock
async def bare_coroutine(x: int) -> float:
    return x


assert_type(bare(1, y="a"), str | BlockedResult)
assert_type(called(1), float | BlockedResult)
assert_type(with_options(1), float | BlockedResult)
bare("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
bare(1, z=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def awaits() -> None:
    assert_type(await coroutine(1), float | BlockedResult)
    assert_type(await bare_coroutine(1), float | BlockedResult)
    await coroutine("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def tells_them_apart() -> str:
    answer = bare(1)
    if isinstance(answer, dict):
        assert_type(answer, BlockedResult)
        assert_type(answer["fix_hints"], list[str])
        assert_type(answer["error"], str)
        return answer["error"]
    assert_type(answer, str)
    return answer


# --- a block is raised: R --------------------------------------------------------------------------------


@Airlock(policy=policy, on_block="raise")
def raising(x: int) -> float:
    return x


@Airlock(on_block="raise")
async def raising_coroutine(x: int) -> float:
    return x


assert_type(raising(1), float)
raising("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def awaits_raising() -> None:
    assert_type(await raising_coroutine(1), float)


# --- every answer is a dict ------------------------------------------------------------------------------


@Airlock(return_dict=True)
def in_a_dict(x: int) -> float:
    return x


@Airlock(return_dict=True, on_block="raise")
async def in_a_dict_later(x: int) -> float:
    return x


assert_type(in_a_dict(1), dict[str, Any])


async def awaits_a_dict() -> None:
    assert_type(await in_a_dict_later(1), dict[str, Any])


# --- generators stay what they are -----------------------------------------------------------------------


@Airlock
def generator(n: int) -> Generator[int, str, bytes]:
    yield n
    return b""


@Airlock(policy=policy)
def generator_with_options(n: int) -> Generator[int, str, bytes]:
    yield n
    return b""


@Airlock
async def async_generator(n: int) -> AsyncGenerator[int, str]:
    yield n


@Airlock(policy=policy)
async def async_generator_with_options(n: int) -> AsyncGenerator[int, str]:
    yield n


assert_type(generator(1), Generator[int, str, bytes])
assert_type(generator_with_options(1), Generator[int, str, bytes])
assert_type(async_generator(1), AsyncGenerator[int, str])
assert_type(async_generator_with_options(1), AsyncGenerator[int, str])


# --- methods ---------------------------------------------------------------------------------------------


class Tool:
    @Airlock(policy=policy)
    def method(self, x: int) -> float:
        return x

    @Airlock(on_block="raise")
    async def async_method(self, x: int) -> float:
        return x

    @classmethod
    @Airlock
    def of_the_class(cls, x: int) -> float:
        return x

    @staticmethod
    @Airlock(on_block="raise")
    def static(x: int) -> float:
        return x


assert_type(Tool().method(1), float | BlockedResult)
assert_type(Tool.of_the_class(1), float | BlockedResult)
assert_type(Tool.static(1), float)
Tool().method("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def awaits_a_method() -> None:
    assert_type(await Tool().async_method(1), float)


# --- options ---------------------------------------------------------------------------------------------


def choose(context: AirlockContext[Any]) -> SecurityPolicy:
    return SecurityPolicy(require_agent_id=context.agent_id is None)


def told(response: AirlockResponse) -> None: ...


Airlock(policy=choose, config=AirlockConfig(on_blocked=told))
Airlock(on_block="ignore")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
Airlock(cost="0.02 USD")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
Cost(lambda arguments: Decimal("0.001") * arguments["pages"])
SecurityPolicy(tags="model")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
SecurityPolicy(allowed_tools=("a", "b"), denied_tools=["c"])

# --- contexts --------------------------------------------------------------------------------------------

typed: AirlockContext[int] = AirlockContext(user_context=5, roles=("admin",), metadata={"airlock_tier": "mid"})
assert_type(typed.user_context, int | None)
assert_type(get_current_context(), AirlockContext[Any] | None)


class Mine(AirlockContext[int]):
    extra: str = ""


with typed as entered:
    assert_type(entered, AirlockContext[int])
with Mine() as mine:
    assert_type(mine, Mine)

# --- the tier budget -------------------------------------------------------------------------------------

budget = ModelTierBudget(tiers={"small": TierBudget(2, 1000)}, strict_tier="small", tier_resolver=lambda model: "small")
tracker = CostTracker(pricing={"default": {"input": "0.01", "output": Decimal("0.03")}})
estimate = budget.check_pre_execute(tier_label=None, input_tokens=10, cost_tracker=tracker)
assert_type(estimate, BudgetEstimate)
assert_type(estimate.estimated_cost_usd, Decimal | None)
assert_type(
    budget.reconcile_post_execute(estimate=estimate, actual=TokenUsage(1, 2), cost_tracker=tracker),
    ReconciliationRecord,
)
assert_type(strict_tier_budget_policy(), SecurityPolicy)
assert_type(policy.freeze(), SecurityPolicy)
assert_type(policy.digest, str)
assert_type(
    policy.check_model_tier_budget(tier_label="small", input_tokens=1, cost_tracker=tracker), BudgetEstimate | None
)
budget.tiers["small"] = TierBudget()  # type: ignore[index]  # pyright: ignore[reportIndexIssue]


def heals(error: AirlockBudgetExceeded) -> None:
    assert_type(handle_budget_exceeded("tool", error), AirlockResponse)
    assert_type(error.response, AirlockResponse)
    assert_type(error.tier, str | None)
    assert_type(error.cap, TierBudget | None)


# --- what is gated can be handed on as what it is --------------------------------------------------------

plain: Callable[[int], float] = raising
later: Callable[[int], Coroutine[Any, Any, float]] = raising_coroutine


def iterates(items: Iterator[int], more: AsyncIterator[int]) -> None: ...


iterates(generator(1), async_generator(1))
