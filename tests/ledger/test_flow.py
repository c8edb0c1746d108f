"""Flows: the two drivers do the same, and an error of a book reaches the flow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from agent_airlock.exceptions import LedgerUnavailable
from agent_airlock.ledger.commands import AnyCommand, Balances, Book, Charge, Check, Entries, Release, Settle
from agent_airlock.ledger.flow import Flow, adrive, ask, drive
from tests.ledger.books import Scripted, Slow
from tests.ledger.words import charge, release, reserve, settle


def _drive(flow: Flow[Any]) -> Any:
    return drive(flow)


def _adrive(flow: Flow[Any]) -> Any:
    return asyncio.run(adrive(flow))


both = pytest.mark.parametrize("run", [_drive, _adrive], ids=["drive", "adrive"])


@both
def test_a_flow_gets_each_answer_and_returns_its_result(run: Callable[[Flow[Any]], Any]) -> None:
    book = Scripted("held", "settled")

    def flow() -> Flow[tuple[Any, Any]]:
        first = yield from ask(book, reserve("r1"))
        second = yield from ask(book, settle("r1"))
        return first, second

    assert run(flow()) == ("held", "settled")
    assert book.asked == [reserve("r1"), settle("r1")]


@both
def test_a_flow_that_asks_nothing_returns_its_result(run: Callable[[Flow[Any]], Any]) -> None:
    def flow() -> Flow[str]:
        return "nothing to ask"
        yield  # type: ignore[unreachable]

    assert run(flow()) == "nothing to ask"


@both
@pytest.mark.parametrize("error", [LedgerUnavailable("down"), KeyboardInterrupt(), ValueError("bad")])
def test_an_error_of_a_book_is_thrown_into_the_flow(run: Callable[[Flow[Any]], Any], error: BaseException) -> None:
    book = Scripted(error, "released")
    seen: list[BaseException] = []

    def flow() -> Flow[None]:
        try:
            yield from ask(book, reserve("r1"))
        except GeneratorExit:
            raise
        except BaseException as failure:
            seen.append(failure)
            yield from ask(book, release("r1"))
            raise

    with pytest.raises(type(error)) as raised:
        run(flow())
    assert raised.value is error
    assert seen == [error]
    assert book.asked == [reserve("r1"), release("r1")]


@both
def test_a_flow_may_go_on_after_an_error(run: Callable[[Flow[Any]], Any]) -> None:
    book = Scripted(LedgerUnavailable("down"), "held")

    def flow() -> Flow[Any]:
        try:
            return (yield from ask(book, reserve("r1")))
        except LedgerUnavailable:
            return (yield from ask(book, reserve("r1")))

    assert run(flow()) == "held"


@both
def test_a_flow_may_ask_several_books(run: Callable[[Flow[Any]], Any]) -> None:
    one, other = Scripted("one"), Scripted("other")

    def flow() -> Flow[list[Any]]:
        first = yield from ask(one, Balances())
        second = yield from ask(other, Balances())
        return [first, second]

    assert run(flow()) == ["one", "other"]


async def test_an_async_flow_may_mix_sync_and_async_books() -> None:
    slow, quick = Slow(), Scripted("quick")
    slow.go.set()

    def flow() -> Flow[list[Any]]:
        first = yield from ask(quick, Balances())
        second = yield from ask(slow, Balances())
        return [first, second]

    assert await adrive(flow()) == ["quick", "answer"]


def test_only_verbs_that_end_something_must_finish() -> None:
    verbs: list[AnyCommand] = [
        *(reserve("r1"), settle("r1"), charge("r1"), release("r1")),
        *(Balances(), Entries(), Check()),
    ]
    assert [type(verb) for verb in verbs if verb.must_finish] == [Settle, Charge, Release]


def test_ask_yields_the_book_and_the_command_and_hands_back_the_answer() -> None:
    book: Book = Scripted()
    flow = ask(book, Balances())
    assert next(flow) == (book, Balances())
    with pytest.raises(StopIteration) as end:
        flow.send(())
    assert end.value.value == ()
