"""How holds on streams failed elsewhere: lost before the first chunk, at a disconnect, or half way."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest

from agent_airlock import Airlock, Budget, Cost, MemoryLedger, SecurityPolicy
from tests.gate.rig import CENT, balances

DOLLAR = "1.00 USD"


def test_a_stream_that_fails_before_its_first_chunk_never_gives_its_hold_back(ledger: MemoryLedger) -> None:
    @Airlock(
        policy=SecurityPolicy(budgets=[Budget("global", "0.01 USD")]),
        ledger=ledger,
        cost=Cost("0.01 USD"),
        nothing_spent_on=(ConnectionError,),
    )
    def stream(fail: bool) -> Iterator[str]:
        if fail:
            raise ConnectionError
        yield "chunk"

    for _ in range(5):
        with pytest.raises(ConnectionError):
            list(stream(fail=True))
    assert list(stream(fail=False)) == ["chunk"]


async def test_the_client_disconnects_in_a_stream_and_hold_or_spend_is_lost(ledger: MemoryLedger) -> None:
    @Airlock(policy=SecurityPolicy(budgets=[Budget("global", DOLLAR)]), ledger=ledger, cost=Cost("0.01 USD"))
    async def stream() -> Any:
        while True:
            yield "chunk"
            await asyncio.sleep(0)

    async def client(chunks: int) -> None:
        async for _ in stream():
            chunks -= 1
            if not chunks:
                await asyncio.Event().wait()

    clients = [asyncio.create_task(client(number % 7 + 1)) for number in range(50)]
    for _ in range(20):
        await asyncio.sleep(0)
    for task in clients:
        task.cancel()
    await asyncio.wait(clients)
    gc.collect()
    await asyncio.sleep(0.01)
    balance = balances(ledger)["global/usd"]
    assert (balance.settled, balance.held) == (50 * CENT, 0)


def test_a_stream_dies_half_way_and_the_part_already_billed_is_released(ledger: MemoryLedger) -> None:
    policy = SecurityPolicy(budgets=[Budget("global", DOLLAR)], on_unknown_usage="release")

    @Airlock(policy=policy, ledger=ledger, cost=Cost.model())
    def stream() -> Iterator[str]:
        yield "chunk"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        list(stream(_airlock_input_tokens=10, _airlock_max_output_tokens=5))
    assert balances(ledger)["global/usd"].settled == 20_000
