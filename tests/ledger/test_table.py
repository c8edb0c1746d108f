"""Rule 4: the table of docs/ledger.md, cell by cell, on every ledger: what is answered, and what stands afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from agent_airlock.ledger.accounts import Balance
from agent_airlock.ledger.commands import State
from tests.ledger.ledgers import Bench
from tests.ledger.scenario import say
from tests.ledger.words import charge, hold, lapsing, release, reserve, resolve, settle

HOLD: Final = hold(5, 10)
MINUTE: Final = 60

STATES: Final[dict[str, list[Any]]] = {
    "unknown": [],
    "held": [reserve("r5", HOLD)],
    "presumed": [reserve("r5", HOLD), MINUTE],
    "lapsed": [lapsing("r5", HOLD), MINUTE],
    "resolved": [reserve("r5", HOLD), resolve("r5", 3)],
    "settled": [reserve("r5", HOLD), settle("r5", actual=3)],
    "released": [reserve("r5", HOLD), release("r5")],
    "closed": [release("r5")],
    "forgotten": [
        *[reserve("r5", HOLD), settle("r5", actual=3)],
        *[charge(f"r6{n}", hold(0, None, "elsewhere"), actual=0) for n in range(10)],
    ],
}
"""What brings the id r5 there; a number lets as many seconds pass."""

VERBS: Final[dict[str, Any]] = {
    "reserve": reserve("r5", HOLD),
    "reserve, other nonce": reserve("r5", HOLD, nonce="other"),
    "settle 3": settle("r5", HOLD, actual=3),
    "settle 7": settle("r5", HOLD, actual=7),
    "charge 3": charge("r5", HOLD, actual=3),
    "release": release("r5"),
    "release, other nonce": release("r5", "other"),
    "resolve 2": resolve("r5", 2),
    "resolve 8": resolve("r5", 8),
}

H: Final = "held 5"
P: Final = "presumed 5"
S: Final = "settled 3"
N: Final = "nothing"
L: Final = "late"
SAME: Final = "settled repeated"
CHANGED: Final = "conflict actual"

# fmt: off
CELLS: Final[dict[str, list[tuple[str, str]]]] = {
    # reserve, reserve with another nonce, settle 3, settle 7, charge 3,
    # release, release with another nonce, resolve 2, resolve 8
    "unknown": [
        ("held", H), ("held", H),
        ("forced", "settled 3 forced 3"), ("forced", "settled 7 forced 7"), ("charged", "settled 3 charged 3"),
        ("closed", N), ("closed", N),
        ("no effect unknown", N), ("no effect unknown", N)],
    "held": [
        ("held", H), ("in use", H),
        ("settled", S), ("settled", "settled 7 above_hold 2"), ("settled", S),
        ("released", N), ("no effect held", H),
        ("resolved", "settled 2"), ("resolved", "settled 8 above_hold 3")],
    "presumed": [
        ("presumed", P), ("in use", P),
        ("settled", S), ("settled", "settled 7 above_hold 2"), ("settled", S),
        ("released", N), ("no effect presumed", P),
        ("resolved", "settled 2"), ("resolved", "settled 8 above_hold 3")],
    "lapsed": [
        ("lapsed", N), ("in use", N),
        (L, "settled 3 late 3"), (L, "settled 7 late 7"), (L, "settled 3 late 3"),
        ("released", N), ("no effect lapsed", N),
        ("resolved", "settled 2 late 2"), ("resolved", "settled 8 late 8")],
    "resolved": [
        ("resolved", S), ("in use", S),
        ("settled", S), ("settled", "settled 7 late 4"), ("settled", S),
        ("no effect resolved", S), ("no effect resolved", S),
        ("resolved", "settled 2"), ("resolved", "settled 8 late 5")],
    "settled": [
        ("settled", S), ("in use", S),
        (SAME, S), (CHANGED, S), (SAME, S),
        ("no effect settled", S), ("no effect settled", S),
        ("no effect settled", S), ("no effect settled", S)],
    "released": [
        ("released", N), ("in use", N),
        (L, "settled 3 late 3"), (L, "settled 7 late 7"), (L, "settled 3 late 3"),
        ("no effect released", N), ("no effect released", N),
        ("no effect released", N), ("no effect released", N)],
    "closed": [
        ("closed", N), ("closed", N),
        ("forced", "settled 3 forced 3"), ("forced", "settled 7 forced 7"), ("charged", "settled 3 charged 3"),
        ("no effect closed", N), ("no effect closed", N),
        ("no effect closed", N), ("no effect closed", N)],
    "forgotten": [
        ("forgotten", S), ("forgotten", S),
        ("forgotten", S), ("forgotten", S), ("forgotten", S),
        ("forgotten", S), ("forgotten", S),
        ("no effect forgotten", S), ("no effect forgotten", S)],
}
# fmt: on


def _stands(balance: Balance | None) -> str:
    """What is not 0 on the account."""
    counts: dict[str, int] = {}
    if balance is not None:
        counts = {name: getattr(balance, name) for name in ("settled", "presumed", "held")}
        counts |= {cause: getattr(balance.overruns, cause) for cause in balance.overruns.__slots__}
    return " ".join(f"{name} {count}" for name, count in counts.items() if count) or N


def _bring(bench: Bench, state: str) -> None:
    for step in STATES[state]:
        if isinstance(step, int):
            bench.clock.tick(step)
        else:
            bench.apply(step)


def _verb(state: str, verb: str) -> Any:
    """What is asked in the state lapsed has the content that lapsed."""
    if state == "lapsed" and verb.startswith("reserve"):
        return lapsing("r5", HOLD, nonce=VERBS[verb].nonce)
    return VERBS[verb]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("state", CELLS)
def test_rule_4_a_cell_of_the_table(state: str, verb: str, open_ledger: Callable[..., Bench]) -> None:
    bench = open_ledger(max_ended=4) if state == "forgotten" else open_ledger()
    _bring(bench, state)
    answer = bench.apply(_verb(state, verb))
    stands = _stands(bench.balances("agent:a").get(HOLD.account.id))
    assert (say(answer), stands) == CELLS[state][list(VERBS).index(verb)]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("state", CELLS)
def test_rule_3_a_verb_that_is_sent_twice_moves_no_more_than_once(
    state: str, verb: str, open_ledger: Callable[..., Bench]
) -> None:
    bench = open_ledger(max_ended=4) if state == "forgotten" else open_ledger()
    _bring(bench, state)
    bench.apply(_verb(state, verb))
    once = bench.balances()
    bench.apply(_verb(state, verb))
    assert bench.balances() == once


def test_the_table_has_a_row_for_each_state_and_each_row_a_cell_for_each_verb() -> None:
    assert set(CELLS) == set(STATES) == {state.value for state in State}
    assert {len(row) for row in CELLS.values()} == {len(VERBS)}
