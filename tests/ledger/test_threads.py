"""Rule 1 under real concurrency: of N calls for which there is room for K, exactly K are granted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import pytest

from agent_airlock.ledger.accounts import Hold, Unit
from agent_airlock.ledger.commands import Balances, Book, Check, Command, Refused, Reserved, State
from tests.ledger.clock import Clock
from tests.ledger.crowd import at_once
from tests.ledger.ledgers import LEDGERS, SYNC_LEDGERS, Bench, open_bench
from tests.ledger.scenario import say
from tests.ledger.words import account, hold, release, reserve, settle

THREADS: Final = 64


@pytest.fixture(params=SYNC_LEDGERS)
def shared(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A ledger that threads may share."""
    with open_bench(request.param) as bench:
        yield bench


def _reserves(holds: Callable[[int], tuple[Hold, ...]], each: int = 1) -> list[list[Command[Any]]]:
    """For each thread its reserves, each with an id of its own."""
    return [[reserve(f"r{thread:02}-{count:03}", *holds(thread)) for count in range(each)] for thread in range(THREADS)]


def _granted(book: Book, messages: list[list[Command[Any]]]) -> int:
    """How many were answered *held* when each thread sends its own; all others were refused."""
    answers = at_once([lambda mine=mine: [book.apply(message) for message in mine] for mine in messages])
    kinds = Counter(type(answer) for mine in answers for answer in mine)
    assert kinds.keys() <= {Reserved, Refused}
    return kinds[Reserved]


def test_rule_1_one_account_grants_exactly_what_fits(shared: Bench) -> None:
    messages = _reserves(lambda _: (hold(3, 300),), each=4)
    assert _granted(shared.book, messages) == 100
    assert shared.balance().held == 300


def test_rule_1_the_first_calls_of_a_new_account_meet_its_limit(shared: Bench) -> None:
    """BerriAI/litellm #40095: the first requests of a scope not seen before passed its budget."""
    for attempt in range(10):
        scope = f"user:{attempt}"
        messages = [[reserve(f"{attempt}-{n}", hold(1, 20, scope))] for n in range(THREADS)]
        assert _granted(shared.book, messages) == 20
        assert shared.balance(scope).held == 20


def test_rule_1_three_accounts_grant_what_fits_the_smallest(shared: Bench) -> None:
    def holds(thread: int) -> tuple[Hold, ...]:
        return hold(1, 100, "global"), hold(1, 40, f"team:{thread % 2}"), hold(1, 25, f"agent:{thread % 4}")

    # Each team has two of the four agents: 40 of the 50 that its agents may.
    assert _granted(shared.book, _reserves(holds, each=4)) == 80
    assert shared.balance("global").held == 80
    assert [shared.balance(f"team:{n}").held for n in range(2)] == [40, 40]
    assert sum(shared.balance(f"agent:{n}").held for n in range(4)) == 80


def test_rule_2_accounts_named_in_opposite_orders_neither_hang_nor_overrun(shared: Bench) -> None:
    def holds(thread: int) -> tuple[Hold, ...]:
        there, back = hold(1, 50, "a"), hold(1, 50, "b")
        return (there, back) if thread % 2 else (back, there)

    assert _granted(shared.book, _reserves(holds, each=2)) == 50
    assert shared.balance("a").held == shared.balance("b").held == 50


def test_rule_1_an_account_that_only_counts_never_loosens_the_one_beside_it(shared: Bench) -> None:
    def holds(thread: int) -> tuple[Hold, ...]:
        counted = hold(1, None, "seen")
        return (counted,) if thread % 2 else (counted, hold(1, 30, "capped"))

    assert _granted(shared.book, _reserves(holds, each=2)) == 64 + 30
    assert shared.balance("seen").held == 94
    assert shared.balance("capped").held == 30


def test_rule_1_holds_that_come_and_go_never_pass_the_limit(shared: Bench) -> None:
    """Each grant is seen by the answer of its own step, whatever the others do."""
    limit = 8

    def work(thread: int) -> int:
        settled = 0
        for count in range(20):
            id = f"r{thread:02}-{count:03}"
            answer = shared.book.apply(reserve(id, hold(1, limit)))
            if not isinstance(answer, Reserved):
                continue
            assert answer.state is State.HELD
            assert answer.after[0].total <= limit
            if settled or count < 10:
                shared.book.apply(release(id))
            else:
                shared.book.apply(settle(id, actual=1))
                settled += 1
        return settled

    settled = sum(at_once([partial(work, thread) for thread in range(THREADS)]))
    assert settled <= limit
    assert (shared.balance().settled, shared.balance().held) == (settled, 0)


def test_rule_3_one_id_sent_by_all_threads_is_one_reservation(shared: Bench) -> None:
    answers = at_once([partial(shared.book.apply, reserve("r1", hold(5, 10))) for _ in range(THREADS)])
    assert {say(answer) for answer in answers} == {"held"}
    assert shared.balance().held == 5
    answers = at_once([partial(shared.book.apply, settle("r1", actual=4)) for _ in range(THREADS)])
    assert Counter(say(answer) for answer in answers) == {"settled": 1, "settled repeated": THREADS - 1}
    assert shared.balance().settled == 4


@pytest.mark.parametrize("end", ["settle", "release"])
def test_rule_7_an_end_that_races_the_end_of_its_lease_moves_the_money_once(end: str) -> None:
    """LanternOps/breeze PR #5555: a settle raced the sweep of expired holds."""
    with open_bench() as bench:
        book, clock = bench.book, bench.clock
        calls = [f"r{n:03}" for n in range(THREADS * 8)]
        for n, id in enumerate(calls):
            book.apply(reserve(id, hold(10, None), hold(10, None, "global"), lease_ms=1 + n % 50))

        def finish(mine: list[str]) -> None:
            for id in mine:
                book.apply(settle(id, actual=3) if end == "settle" else release(id))

        def pass_time() -> None:
            for _ in range(60):
                clock.ms += 1
                book.apply(Balances("nobody"))

        at_once([partial(finish, calls[n :: THREADS - 2]) for n in range(THREADS - 2)] + [pass_time] * 2)
        for scope in ("agent:a", "global"):
            balance = bench.balance(scope)
            assert (balance.settled, balance.presumed, balance.held, balance.overrun) == (
                (3 * len(calls) if end == "settle" else 0),
                0,
                0,
                0,
            )


def test_check_is_clean_at_any_moment_of_a_run(shared: Bench) -> None:
    """BerriAI/litellm #27639: holds kept as a counter drift; here totals are proved against the rows."""

    def work(thread: int) -> None:
        for count in range(10):
            id = f"r{thread:02}-{count:03}"
            shared.book.apply(reserve(id, hold(2, None), hold(2, 90, f"team:{thread % 3}")))
            shared.book.apply(settle(id, actual=1) if count % 2 else release(id))

    def look() -> set[tuple[str, ...]]:
        return {shared.book.apply(Check()).problems for _ in range(20)}

    jobs: list[Callable[[], Any]] = [partial(work, thread) for thread in range(32)]
    assert [found for found in at_once([*jobs, *[look] * 4]) if found] == [{()}] * 4


@pytest.mark.parametrize("name", LEDGERS)
async def test_rule_1_tasks_of_one_loop_are_granted_exactly_what_fits(name: str) -> None:
    book: Any = LEDGERS[name](Clock())

    async def call(n: int) -> object:
        answer = book.apply(reserve(f"r{n:03}", hold(1, 20), hold(1, None, "global")))
        return await answer if book.is_async else answer

    kinds = Counter(type(answer) for answer in await asyncio.gather(*[call(n) for n in range(THREADS)]))
    assert kinds == {Reserved: 20, Refused: 44}


def test_totals_of_several_units_stay_apart(shared: Bench) -> None:
    limits = {Unit.USD: (5, 500), Unit.TOKENS: (100, 4_000), Unit.CALLS: (1, 64)}
    holds = tuple(Hold(account(unit=unit), *amounts) for unit, amounts in limits.items())
    assert _granted(shared.book, _reserves(lambda _: holds, each=2)) == 40
    assert {b.account.unit: b.held for b in shared.book.apply(Balances())} == {
        Unit.USD: 200,
        Unit.TOKENS: 4_000,
        Unit.CALLS: 40,
    }
