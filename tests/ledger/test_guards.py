"""Rules 8 and 13: what must never be written is refused loudly, and a mistake of the caller writes nothing."""

from __future__ import annotations

from typing import Any, Final

import pytest

from agent_airlock.exceptions import LedgerCorrupt
from agent_airlock.ledger import rules
from agent_airlock.ledger.accounts import Balance, Hold, Unit
from agent_airlock.ledger.commands import Check, Settled, State
from agent_airlock.ledger.rows import Head, Reservation
from agent_airlock.money import MAX_AMOUNT
from tests.ledger.ledgers import Bench
from tests.ledger.scenario import say
from tests.ledger.words import account, charge, hold, release, reserve, settle

A: Final = account("agent:a")
NOW: Final = 1_000_000


HEAD: Final = Head("ledger", 1, now_ms=NOW)


def _row(amount: int = 5) -> Reservation:
    """The row of a reserve that was granted."""
    _, change = rules.reserve(None, {}, reserve("r1", hold(amount, 10)), HEAD)
    assert change is not None
    return change[0]


ENDS: Final[dict[str, Any]] = {
    "settle": lambda row, rows: rules.settle(row, rows, settle("r1", actual=1), HEAD),
    "release": lambda row, rows: rules.release(row, rows, release("r1"), HEAD),
    "expire": lambda row, rows: rules.expire(row, rows, HEAD),
}


@pytest.mark.parametrize("end", ENDS)
def test_rule_13_a_hold_that_its_account_does_not_have_is_corrupt(end: str) -> None:
    with pytest.raises(LedgerCorrupt, match="agent:a"):
        ENDS[end](_row(), {A.id: Balance(A, held=4)})


@pytest.mark.parametrize("end", ENDS)
def test_rule_13_a_row_whose_account_has_no_balance_is_corrupt(end: str) -> None:
    with pytest.raises(LedgerCorrupt, match="agent:a"):
        ENDS[end](_row(), {})


def test_rule_13_a_repeated_reserve_whose_account_has_no_balance_is_corrupt() -> None:
    with pytest.raises(LedgerCorrupt, match="agent:a"):
        rules.reserve(_row(), {}, reserve("r1", hold(5, 10)), HEAD)


def test_the_rules_change_nothing_that_they_are_given() -> None:
    rows = {A.id: Balance(A, settled=1, held=5)}
    row = _row()
    before = (repr(rows), repr(row))
    for end in ENDS.values():
        end(row, rows)
    rules.reserve(None, rows, reserve("r2", hold(2, 10)), HEAD)
    assert (repr(rows), repr(row)) == before


def test_rule_7_a_lease_ends_at_its_end_and_not_before() -> None:
    row = _row()
    assert row.expires_ms == NOW + 60_000
    assert not rules.is_due(row, NOW + 59_999)
    assert rules.is_due(row, NOW + 60_000)


def test_every_state_has_its_cells_and_every_cell_is_a_function() -> None:
    assert set(rules.TABLE) == set(State)
    assert all(callable(cell) for cells in rules.TABLE.values() for cell in cells)


# --- a mistake of the caller -----------------------------------------------------------------------------

TWICE: Final = (hold(1, 10), hold(2, 10, "global"), hold(1, 10))
BELOW: Final = (hold(1, 10, "global"), hold(-1, 10))
MISTAKES: Final[dict[str, Any]] = {
    "reserve of an account twice": reserve("r9", *TWICE),
    "settle of an account twice": settle("r9", *TWICE, actual=1),
    "charge of an account twice": charge("r9", *TWICE, actual=1),
    "reserve below 0": reserve("r9", *BELOW),
    "settle below 0": settle("r9", hold(1, 10), actual=-1),
    "charge below 0": charge("r9", hold(1, 10), actual=-1),
    "charge of holds below 0": charge("r9", *BELOW),
    "settle of a held id below 0": settle("r1", actual=-1),
    "settle of a settled id below 0": settle("r2", actual=-1),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_rule_2_a_mistake_raises_and_writes_nothing(mistake: str, bench: Bench) -> None:
    bench.apply(reserve("r1", hold(5, 10), hold(5, 10, "global")))
    bench.apply(reserve("r2", hold(1, 10)))
    bench.apply(settle("r2", actual=1))
    before = bench.balances(), bench.apply(Check())
    with pytest.raises(ValueError, match=r"at least 0|each account once"):
        bench.apply(MISTAKES[mistake])
    assert (bench.balances(), bench.apply(Check())) == before
    assert say(bench.apply(release("r1"))) == "released", "the ledger goes on"


NOT_AMOUNTS: Final = [float("nan"), 0.5, 1.0, True, "1", None]


@pytest.mark.parametrize("amount", NOT_AMOUNTS, ids=repr)
def test_rule_8_a_hold_that_is_no_whole_number_is_never_granted(amount: Any, bench: Bench) -> None:
    with pytest.raises((ValueError, TypeError)):
        bench.apply(reserve("r1", Hold(A, amount, 10)))
    assert bench.balances() == {}


@pytest.mark.parametrize("amount", NOT_AMOUNTS, ids=repr)
def test_rule_8_a_cost_that_is_no_whole_number_is_never_booked(amount: Any, bench: Bench) -> None:
    bench.apply(reserve("r1", hold(5, 10)))
    bench.apply(charge("r2", hold(5, 10), actual=1))
    before = bench.balances()
    for id in ("r1", "r2", "r3"):
        for verb in (settle, charge):
            with pytest.raises((ValueError, TypeError)):
                bench.apply(verb(id, hold(1, 10), actual={Unit.USD: amount}))
    assert bench.balances() == before


@pytest.mark.parametrize("limit", [float("nan"), float("inf"), 10.5, "10"], ids=repr)
def test_rule_8_a_limit_that_is_no_whole_number_never_grants(limit: Any, bench: Bench) -> None:
    with pytest.raises((ValueError, TypeError)):
        bench.apply(reserve("r1", Hold(A, 5, limit)))
    assert bench.balances() == {}


def test_what_a_caller_does_to_its_mapping_afterwards_changes_nothing(bench: Bench) -> None:
    actual = {Unit.USD: 3}
    bench.apply(charge("r1", hold(5, 10), actual=actual))
    actual[Unit.USD] = 4
    assert say(bench.apply(charge("r1", hold(5, 10), actual=3))) == "charged repeated"


def test_no_limit_lets_an_account_hold_more_than_it_can_count(bench: Bench) -> None:
    answer = bench.apply(reserve("r1", hold(MAX_AMOUNT + 1, 2**60)))
    assert say(answer) == f"refused agent:a spent fits {MAX_AMOUNT}"


def test_overruns_saturate_like_all_amounts(bench: Bench) -> None:
    for n in range(3):
        bench.apply(charge(f"r{n}", hold(1, 10), actual=MAX_AMOUNT - 1))
    balance = bench.balance()
    assert (balance.settled, balance.overruns.charged, balance.frozen) == (MAX_AMOUNT, MAX_AMOUNT, True)


def test_the_last_limit_is_that_of_the_last_grant(bench: Bench) -> None:
    """A report shows it, and the gate warns by it."""
    bench.apply(reserve("r1", hold(5, 10)))
    assert bench.balance().last_limit == 10
    bench.apply(reserve("r2", hold(6, 10)))  # refused: no grant
    bench.apply(reserve("r2", hold(1, 8)))
    assert bench.balance().last_limit == 8
    answer = bench.apply(settle("r1", actual=3))
    assert isinstance(answer, Settled)
    assert [balance.last_limit for balance in (*answer.before, *answer.after)] == [8, 8]
    bench.apply(release("r2"))
    bench.apply(charge("r3", hold(1, 99), actual=1))
    assert bench.balance().last_limit == 8
    bench.apply(charge("r4", hold(1, 7, "new"), actual=1))
    assert bench.balance("new").last_limit == 7
