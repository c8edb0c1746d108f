"""Gates on a ledger in a SQLite file: one object serves functions of every kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent_airlock import Airlock, Budget, Cost, SecurityPolicy, open_ledger
from agent_airlock.ledger.commands import Balances, Check

POLICY = SecurityPolicy(budgets=[Budget("global", "1 USD")])


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    return open_ledger(f"sqlite:///{tmp_path}/budgets.db")


def gated(function: Any, ledger: Any) -> Any:
    return Airlock(policy=POLICY, ledger=ledger, cost=Cost("0.01 USD"))(function)


async def test_functions_of_every_kind_count_in_one_file(ledger: Any) -> None:
    def plain() -> str:
        return "ran"

    async def awaited() -> str:
        await asyncio.sleep(0)
        return "ran"

    def items() -> Iterator[str]:
        yield "ran"

    async def stream() -> AsyncIterator[str]:
        yield "ran"

    assert gated(plain, ledger)() == "ran"
    assert await gated(awaited, ledger)() == "ran"
    assert list(gated(items, ledger)()) == ["ran"]
    assert [item async for item in gated(stream, ledger)()] == ["ran"]
    (balance,) = ledger.apply(Balances())
    assert (balance.settled, balance.held) == (40_000_000, 0)
    assert ledger.apply(Check()).problems == ()


async def test_tasks_that_race_get_exactly_what_fits(ledger: Any) -> None:
    async def search() -> str:
        await asyncio.sleep(0.001)
        return "ran"

    function = gated(search, ledger)
    answers = await asyncio.gather(*[function() for _ in range(200)])
    assert answers.count("ran") == 100
    (balance,) = ledger.apply(Balances())
    assert (balance.settled, balance.held) == (1_000_000_000, 0)


async def test_the_loop_goes_on_while_the_ledger_works(ledger: Any) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def search() -> str:
        return "ran"

    counter = asyncio.create_task(count())
    assert await gated(search, ledger)() == "ran"
    counter.cancel()
    assert turns > 2, "the reserve and the settle were awaited"
