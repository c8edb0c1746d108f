"""Rule 3: every verb is idempotent by id and nonce, whatever the line to the ledger does.

A caller that gets no answer sends the identical message again. However the line failed, the ledger must end
as it would have without the fault.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from agent_airlock.exceptions import LedgerUnavailable
from agent_airlock.ledger.commands import Balances, Entries, Forgotten, Refused, Release, State
from agent_airlock.ledger.flow import ask
from tests.ledger.faulty import FAULTS, Fault, faulty
from tests.ledger.ledgers import Bench, open_bench
from tests.ledger.scenario import say
from tests.ledger.words import charge, hold, release, reserve, settle

HOLDS: Final = (hold(5, 20), hold(5, None, "global"))
STORIES: Final[dict[str, list[Any]]] = {
    # A number is a step of the clock, in seconds. Each story ends with a command that the last one's echo meets.
    "reserve, settle": [reserve("r1", *HOLDS), settle("r1", *HOLDS, actual=3)],
    "reserve, settle above its hold": [reserve("r1", *HOLDS), settle("r1", *HOLDS, actual=8)],
    "reserve, release": [reserve("r1", *HOLDS), release("r1")],
    "reserve, presumed": [reserve("r1", *HOLDS), 61],
    "reserve, presumed, settle": [reserve("r1", *HOLDS), 61, settle("r1", *HOLDS, actual=3)],
    "reserve, presumed, release": [reserve("r1", *HOLDS), 61, release("r1")],
    "reserve, release, late settle": [reserve("r1", *HOLDS), release("r1"), settle("r1", *HOLDS, actual=3)],
    "reserve, settle, release": [reserve("r1", *HOLDS), settle("r1", *HOLDS, actual=3), release("r1")],
    "forced settle": [settle("r1", *HOLDS, actual=3)],
    "charge": [charge("r1", *HOLDS, actual=3)],
    "charge, release": [charge("r1", *HOLDS, actual=3), release("r1")],
    "release of an unknown id, reserve": [release("r1"), reserve("r1", *HOLDS)],
    "release of an unknown id, settle": [release("r1"), settle("r1", *HOLDS, actual=3)],
    "a refusal between two grants": [
        reserve("r1", hold(15, 20)),
        reserve("r2", hold(6, 20)),
        release("r2"),
        settle("r1", hold(15, 20), actual=1),
        reserve("r3", hold(6, 20)),
        settle("r3", hold(6, 20), actual=6),
    ],
    "three calls at once": [
        *[reserve(f"r{n}", hold(5, 20), hold(5, 100, "global")) for n in (1, 2, 3)],
        settle("r2", actual=4),
        release("r1"),
        charge("r4", hold(1, 20), actual=1),
        settle("r3", actual=6),
    ],
}


def _tell(bench: Bench, story: list[Any], at: int = 0, fault: Fault | None = None) -> tuple[object, list[str]]:
    """What the ledger holds at the end of a story, and the answers that the caller got."""
    line = faulty(bench.book, at=at, fault=fault)
    answers = []
    for step in (*story, Balances("nobody")):
        if isinstance(step, int):
            bench.clock.tick(step)
            continue
        try:
            answer = bench.run(ask(line, step))
        except LedgerUnavailable:
            answer = bench.run(ask(line, step))
        if not isinstance(step, Balances):
            answers.append(say(answer).removesuffix(" repeated").removeprefix("no effect "))
    entries = bench.apply(Entries()).entries
    ends = {entry.id: (entry.state, entry.how, entry.booked, entry.labels) for entry in entries}
    return (bench.balances(), ends), answers


def _cases() -> list[tuple[str, Fault, int]]:
    return [
        (name, fault, at)
        for name, story in STORIES.items()
        for fault in FAULTS
        for at in range(1, sum(not isinstance(step, int) for step in story) + 1)
    ]


@pytest.mark.parametrize(("name", "fault", "at"), _cases())
def test_rule_3_a_fault_and_the_callers_retry_leave_what_no_fault_leaves(
    name: str, fault: Fault, at: int, open_ledger: Callable[[], Bench]
) -> None:
    wanted = _tell(open_ledger(), STORIES[name])
    assert _tell(open_ledger(), STORIES[name], at, fault) == wanted


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "twice"])
def test_rule_3_a_reserve_without_an_answer_that_is_then_released_holds_nothing(fault: Fault, bench: Bench) -> None:
    line = faulty(bench.book, at=1, fault=fault)
    with pytest.raises(LedgerUnavailable):
        bench.run(ask(line, reserve("r1", hold(5, 10))))
    answer = bench.run(ask(line, release("r1")))
    bench.run(ask(line, Balances()))
    assert say(answer) == ("released" if fault == "after" else "closed")
    assert sum(balance.total for balance in bench.balances().values()) == 0
    assert say(bench.apply(reserve("r1", hold(5, 10)))) == ("released" if fault == "after" else "closed")
    assert sum(balance.total for balance in bench.balances().values()) == 0


def test_rule_3_a_refusal_after_a_retry_is_released_because_an_earlier_copy_may_land(bench: Bench) -> None:
    """docs/ledger.md: a caller that sent a reserve more than once and gets a refusal releases the id."""
    first, second = reserve("r1", hold(5, 10)), release("r1")
    bench.apply(reserve("r0", hold(8, 10)))
    assert isinstance(bench.apply(first), Refused)  # the retry; the first copy is still under way
    assert say(bench.apply(second)) == "closed"
    bench.apply(release("r0"))
    assert say(bench.apply(first)) == "closed"  # the first copy lands, and there would be room
    assert bench.balance().held == 0


def test_rule_3_a_reserve_repeated_after_its_settle_holds_nothing(bench: Bench) -> None:
    bench.apply(reserve("r1", hold(5, 10)))
    bench.apply(settle("r1", actual=3))
    assert say(bench.apply(reserve("r1", hold(5, 10)))) == "settled"
    assert (bench.balance().settled, bench.balance().held) == (3, 0)


def test_rule_3_a_forgotten_settle_is_charged_once_under_a_new_id(
    open_ledger: Callable[..., Bench],
) -> None:
    """What the gate does where a settle is Forgotten; a retry of the charge books nothing more."""
    bench = open_ledger(max_ended=4)
    bench.apply(reserve("r1", hold(5, 100)))
    bench.clock.tick(61)
    for n in range(10):
        bench.apply(charge(f"r2{n}", hold(1, 100), actual=1))
    assert isinstance(bench.apply(settle("r1", actual=3)), Forgotten)
    for _ in range(2):
        bench.apply(charge("r3", hold(5, 100), actual=3))
    assert (bench.balance().presumed, bench.balance().settled) == (5, 13)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_faulty_ledger_does_what_it_says(fault: Fault) -> None:
    """A test of the tests: the n-th command alone is spoiled, in the way that was asked for."""
    with open_bench() as bench:
        line = faulty(bench.book, at=2, fault=fault)
        bench.run(ask(line, reserve("r1", hold(1, 10))))
        arrived = []
        try:
            bench.run(ask(line, settle("r1", actual=1)))
        except LedgerUnavailable:
            arrived.append("no answer")
        arrived.append(str(bench.balance().settled))
        answer = bench.run(ask(line, Release("r1", "me")))
        arrived.append(str(bench.balance().settled))
        bench.run(ask(line, Balances()))
        arrived.append(str(bench.balance().settled))
        expected = {
            "before": ["no answer", "0", "0", "0"],
            "after": ["no answer", "1", "1", "1"],
            "late": ["no answer", "0", "1", "1"],
            "stray": ["no answer", "0", "0", "1"],
            "twice": ["1", "1", "1"],
        }
        assert arrived == expected[fault]
        assert answer.effect == (fault in ("before", "late", "stray"))
        states = {entry.state for entry in bench.apply(Entries()).entries}
        assert states == {State.RELEASED if fault == "before" else State.SETTLED}
