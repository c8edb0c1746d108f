"""The answers of a reserve have one order of precedence; each pair of them, where one reserve meets both.

forgotten → in use → conflict → the state → wrong period → period overlap → frozen → refused → granted.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Final

import pytest

from agent_airlock.exceptions import ClockJump
from agent_airlock.ledger.accounts import Account, Hold, Period
from agent_airlock.ledger.commands import Reserve
from agent_airlock.ledger.operations import Close
from agent_airlock.money import MAX_AMOUNT
from tests.ledger.clock import DAY_MS, START_MS
from tests.ledger.ledgers import Bench
from tests.ledger.scenario import say
from tests.ledger.words import account, charge, freeze, hold, release, reserve

OF_THE_ID: Final = ("forgotten", "in use", "conflict", "state")
OF_AN_ACCOUNT: Final = ("wrong period", "period overlap", "frozen", "refused", "granted")
ORDER: Final = OF_THE_ID + OF_AN_ACCOUNT


def _saturate(bench: Bench, where: Account) -> None:
    for id in ("c1", "c2"):
        bench.apply(charge(f"{id} {where.scope}", hold(1, None, where), actual=MAX_AMOUNT))


FREEZING: Final[dict[str, Callable[[Bench, Account], object]]] = {
    "frozen": _saturate,
    "closed account": lambda bench, where: bench.apply(Close(where)),
    "frozen line": lambda bench, where: bench.apply(freeze(where.line)),
}
"""What has one place in the order: each way in which an account takes no new hold."""
PAIRS: Final = (
    *combinations(ORDER, 2),
    *[(first, "frozen line") for first in ORDER[: ORDER.index("frozen")]],
    *[(first, "closed account") for first in ORDER[: ORDER.index("frozen")]],
    *[(first, second) for first in ("frozen line", "closed account") for second in ("refused", "granted")],
)
SAYS: Final = {
    "conflict": "conflict lease",
    "state": "released",
    "granted": "held",
    "frozen line": "frozen",
    "closed account": "frozen",
}

YESTERDAY: Final = Period(START_MS - DAY_MS, START_MS)
TODAY: Final = Period(START_MS, START_MS + DAY_MS)
TODAY_ELSEWHERE: Final = Period(START_MS - 1, START_MS + DAY_MS - 1)


def _day(scope: str, period: Period = TODAY) -> Account:
    return account(scope, "day", period)


def _in_the_way(bench: Bench, what: str, scope: str) -> Hold:
    """A hold that meets this answer, whatever its id."""
    if what == "wrong period":
        return hold(1, 10, _day(scope, YESTERDAY))
    if what == "period overlap":
        bench.apply(reserve(f"r1 {scope}", hold(1, 10, _day(scope, TODAY_ELSEWHERE))))
        return hold(1, 10, _day(scope))
    if what in FREEZING:
        FREEZING[what](bench, _day(scope))
        return hold(0, MAX_AMOUNT, _day(scope))
    return hold(11 if what == "refused" else 1, 10, _day(scope))


def _with_a_history(bench: Bench, histories: tuple[str, ...]) -> Reserve:
    """A reserve whose id meets these answers, whatever its account."""
    asked = reserve("r5", hold(10, 10, _day("x")))
    first = reserve(
        "r5",
        *asked.holds,
        nonce="other" if "in use" in histories else "me",
        lease_ms=1 if "conflict" in histories else asked.lease_ms,
    )
    assert say(bench.apply(first)) == "held"
    bench.apply(release("r5", first.nonce))
    if "forgotten" in histories:
        for count in range(10):
            bench.apply(charge(f"r6{count}", hold(0, 10, "elsewhere"), actual=0))
    return asked


def _spoil(bench: Bench, what: str) -> None:
    """From now on the account of ``_with_a_history`` meets this answer."""
    if what == "wrong period":
        bench.clock.tick(86_400)
    elif what == "period overlap":
        bench.apply(charge("c1", hold(0, 10, _day("x", TODAY_ELSEWHERE)), actual=0))
    elif what in FREEZING:
        FREEZING[what](bench, _day("x"))
    elif what == "refused":
        bench.apply(charge("c1", hold(0, 10, _day("x")), actual=10))


def _answer(bench: Bench, asked: Reserve) -> str:
    """What it says; and that it wrote nothing unless it granted."""
    before = bench.balances()
    answer = say(bench.apply(asked))
    assert (bench.balances() == before) == (answer != "held")
    return answer


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_answer_that_comes_first_is_given(first: str, second: str, open_ledger: Callable[..., Bench]) -> None:
    if first in OF_THE_ID:
        # Forgetting is a matter of numbers; the mark must not be reached by what else a case writes.
        bench = open_ledger(max_ended=4) if first == "forgotten" else open_ledger()
        asked = _with_a_history(bench, (first, second))
        _spoil(bench, second)
    else:
        bench = open_ledger()
        # The one that comes second stands in front, so that the order of the holds decides nothing.
        holds = [_in_the_way(bench, what, scope) for what, scope in ((second, "second"), (first, "first"))]
        asked = reserve("r5", *holds)
    says = SAYS.get(first, first)
    assert _answer(bench, asked).startswith(says if first in OF_THE_ID else f"{says} first")


@pytest.mark.parametrize("what", [*ORDER, "frozen line", "closed account"])
def test_each_of_the_answers_alone(what: str, open_ledger: Callable[..., Bench]) -> None:
    bench = open_ledger(max_ended=4) if what == "forgotten" else open_ledger()
    of_the_id = what in OF_THE_ID
    asked = _with_a_history(bench, (what,)) if of_the_id else reserve("r5", _in_the_way(bench, what, "only"))
    assert _answer(bench, asked).startswith(SAYS.get(what, what))


@pytest.mark.parametrize("what", [*OF_AN_ACCOUNT[:4], "frozen line", "closed account"])
def test_of_two_accounts_that_say_the_same_the_first_is_named(what: str, bench: Bench) -> None:
    first, second = _in_the_way(bench, what, "first"), _in_the_way(bench, what, "second")
    says = SAYS.get(what, what)
    assert _answer(bench, reserve("r5", first, second)).startswith(f"{says} first")
    assert _answer(bench, reserve("r5", second, first)).startswith(f"{says} second")


@pytest.mark.parametrize("what", ORDER)
def test_a_clock_that_leapt_comes_before_all_answers(what: str, open_ledger: Callable[..., Bench]) -> None:
    """What the answers say of periods and leases would be of a time that may not be."""
    bench = open_ledger(max_ended=4) if what == "forgotten" else open_ledger()
    of_the_id = what in OF_THE_ID
    asked = _with_a_history(bench, (what,)) if of_the_id else reserve("r5", _in_the_way(bench, what, "only"))
    bench.clock.leap(86_400)
    with pytest.raises(ClockJump):
        bench.apply(asked)
