"""A durable ledger's time: in the file, for all its processes; a leap is seen by one that was started after it, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent_airlock.exceptions import ClockJump
from agent_airlock.ledger.accounts import Period
from agent_airlock.ledger.commands import Balances, WrongPeriod
from agent_airlock.ledger.operations import Audit, Clock
from agent_airlock.ledger.sqlite import SqliteLedger, executor
from tests.ledger.clock import DAY_MS, START_MS
from tests.ledger.clock import Clock as Hands
from tests.ledger.scenario import say
from tests.ledger.words import account, hold, reserve, settle

HOUR_MS = 3_600_000
TODAY = account("agent:a", "day", Period(START_MS, START_MS + DAY_MS))
TOMORROW = account("agent:a", "day", Period(START_MS + DAY_MS, START_MS + 2 * DAY_MS))


class Machine:
    """Its wall clock, which can be set, and its boot clock, which cannot."""

    def __init__(self) -> None:
        self.wall = Hands()
        self.up = Hands(1_000_000)

    def passes(self, ms: int) -> None:
        self.wall.ms += ms
        self.up.ms += ms

    def ledger(self, path: Path) -> SqliteLedger:
        return SqliteLedger(path, clock=self.wall, boot_clock=self.up)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "budgets.db"


def test_rule_7_a_clock_that_steps_back_reopens_nothing_not_even_for_a_new_process(
    path: Path, machine: Machine
) -> None:
    ledger = machine.ledger(path)
    machine.passes(DAY_MS)
    assert say(ledger.apply(reserve("r1", hold(5, 10, TOMORROW)))) == "held"
    machine.wall.ms -= DAY_MS
    for each in (ledger, machine.ledger(path)):
        answer = each.apply(reserve("r2", hold(5, 10, TODAY)))
        assert isinstance(answer, WrongPeriod)
        assert answer.stamp.now_ms == START_MS + DAY_MS


def test_a_leap_forward_grants_nothing_not_even_to_a_process_that_starts_after_it(path: Path, machine: Machine) -> None:
    ledger = machine.ledger(path)
    ledger.apply(reserve("r1", hold(5, 10)))
    machine.passes(10_000)
    machine.wall.ms += DAY_MS
    for each in (ledger, machine.ledger(path)):
        with pytest.raises(ClockJump):
            each.apply(reserve("r2", hold(5, 10, TOMORROW)))
        (balance,) = each.apply(Balances())
        assert (balance.held, balance.presumed) == (5, 0), "its lease has not ended"
    assert say(ledger.apply(settle("r1", actual=3))) == "settled", "money is booked all the same"


def test_what_an_operator_says_of_the_time_is_heard_by_every_process(path: Path, machine: Machine) -> None:
    one, other = machine.ledger(path), machine.ledger(path)
    one.apply(reserve("r1", hold(5, 10)))
    other.apply(Balances())
    machine.wall.ms += DAY_MS
    for each in (one, other):
        with pytest.raises(ClockJump):
            each.apply(reserve("r2", hold(5, 10, TOMORROW)))
    machine.ledger(path).apply(Clock("accept", why="the machine slept without a boot clock"))
    for number, each in enumerate((one, other, machine.ledger(path))):
        assert say(each.apply(reserve(f"s{number}", hold(1, 10, TOMORROW)))) == "held"


def test_a_time_that_is_set_back_is_the_time_of_every_process(path: Path, machine: Machine) -> None:
    one, other = machine.ledger(path), machine.ledger(path)
    machine.passes(DAY_MS)
    one.apply(reserve("r1", hold(1, 10, TOMORROW)))
    other.apply(reserve("r2", hold(1, 10, TOMORROW)))
    machine.passes(-DAY_MS)
    machine.ledger(path).apply(Clock("set", START_MS, why="it was set wrong"))
    for number, each in enumerate((one, other, machine.ledger(path))):
        assert each.now_ms() <= START_MS + DAY_MS
        answer = each.apply(reserve(f"s{number}", hold(1, 10)))
        assert say(answer) == "held"
        assert answer.stamp.now_ms == START_MS
        assert each.now_ms() == START_MS
    (entry,) = one.apply(Audit()).entries
    assert (entry.verb, entry.why) == ("clock", "it was set wrong")


def test_after_a_new_start_of_the_machine_its_wall_clock_is_believed(
    path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was off for who knows how long."""
    machine.ledger(path).apply(reserve("r1", hold(5, 10)))
    machine.wall.ms += DAY_MS
    machine.up.ms = 5_000
    monkeypatch.setattr(executor, "_boot_id", lambda: "another")
    assert say(machine.ledger(path).apply(reserve("r2", hold(5, 10, TOMORROW)))) == "held"


def test_an_operators_word_that_was_not_written_is_not_believed(path: Path, machine: Machine) -> None:
    ledger = machine.ledger(path)
    ledger.apply(reserve("r1", hold(5, 10)))
    machine.wall.ms += DAY_MS

    def fails(*_: Any) -> None:
        raise OSError("a fault of the test")

    folder, ledger._executor.folder.fold = ledger._executor.folder.fold, fails  # type: ignore[method-assign]
    with pytest.raises(OSError, match="a fault"):
        ledger.apply(Clock("accept", why="it is right"))
    ledger._executor.folder.fold = folder  # type: ignore[method-assign]
    with pytest.raises(ClockJump):
        ledger.apply(reserve("r2", hold(5, 10, TOMORROW)))
