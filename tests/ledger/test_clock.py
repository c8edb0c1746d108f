"""Rule 7: a ledger's time never runs back, and what leaps ahead of what can be is not believed (`ClockJump`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_airlock.exceptions import ClockJump, LedgerUnavailable
from agent_airlock.ledger.accounts import Period
from agent_airlock.ledger.clocks import LEAP_MS, Explained, boot_ns
from agent_airlock.ledger.commands import Check
from agent_airlock.ledger.ids import first_of
from agent_airlock.ledger.memory import MemoryLedger
from agent_airlock.ledger.operations import Audit, Clock, ClockStands
from tests.ledger.clock import DAY_MS, START_MS
from tests.ledger.ledgers import Bench
from tests.ledger.scenario import say
from tests.ledger.words import account, charge, hold, lapsing, release, reserve, settle

TODAY: Final = account("agent:a", "day", Period(START_MS, START_MS + DAY_MS))
TOMORROW: Final = account("agent:a", "day", Period(START_MS + DAY_MS, START_MS + 2 * DAY_MS))


def _clock(bench: Bench, how: Any = "show", to_ms: int | None = None) -> ClockStands:
    return bench.apply(Clock(how, to_ms, "" if how == "show" else "I looked at my watch", "ada"))


def _leap(bench: Bench, seconds: float) -> None:
    bench.clock.leap(seconds)


# --- forward ---------------------------------------------------------------------------------------------


def test_a_leap_grants_nothing(bench: Bench) -> None:
    bench.apply(reserve("r1", hold(5, 10)))
    _leap(bench, 86_400)
    for command in (reserve("r2", hold(1, 10)), reserve("r1", hold(5, 10)), reserve("r3", hold(1, None))):
        with pytest.raises(ClockJump, match=r"clock --accept"):
            bench.apply(command)
    assert bench.balance().held == 5, "no lease ended"


def test_a_leap_opens_no_money_of_periods_to_come(bench: Bench) -> None:
    bench.apply(reserve("r1", hold(10, 10, TODAY)))
    _leap(bench, 86_400)
    for where in (TODAY, TOMORROW):
        with pytest.raises(ClockJump):
            bench.apply(reserve("r2", hold(1, 10, where)))


def test_who_waits_for_a_ledger_that_does_not_answer_waits_for_its_clock() -> None:
    assert issubclass(ClockJump, LedgerUnavailable)
    assert ClockJump(90_000).leap_ms == 90_000
    assert "90 s ahead" in str(ClockJump(90_000))


def test_real_money_is_booked_and_given_back_during_a_leap(bench: Bench) -> None:
    """Rule 4: what was billed is booked, whatever the time is. It goes by the boot clock meanwhile."""
    for n in range(3):
        bench.apply(reserve(f"r{n}", hold(1, 10), lease_ms=10 * 60_000))
    _leap(bench, 86_400)
    assert say(bench.apply(settle("r0", actual=2))) == "settled"
    assert say(bench.apply(release("r1"))) == "released"
    assert say(bench.apply(charge("c1", hold(1, 10), actual=3))) == "charged"
    balance = bench.balance()
    assert (balance.settled, balance.held) == (5, 1)
    assert bench.apply(Check()).problems == ()


def test_leases_end_by_the_boot_clock_during_a_leap(bench: Bench) -> None:
    bench.apply(reserve("r1", hold(1, 10)))
    bench.apply(lapsing("r2", hold(2, 10)))
    _leap(bench, 86_400)
    bench.clock.tick(59.999)
    assert bench.balance().held == 3
    bench.clock.tick(0.001)
    balance = bench.balance()
    assert (balance.presumed, balance.held) == (1, 0)


def test_a_clock_that_is_set_right_again_is_believed_at_once(bench: Bench) -> None:
    _leap(bench, 86_400)
    with pytest.raises(ClockJump):
        bench.apply(reserve("r1", hold(1, 10)))
    bench.clock.tick(5)
    _leap(bench, -86_400)
    assert say(bench.apply(reserve("r1", hold(1, 10)))) == "held"
    assert _clock(bench).leap_ms == 0
    assert bench.book.now_ms() == START_MS + 5_000


def test_time_that_the_boot_clock_explains_is_no_leap(bench: Bench) -> None:
    """A laptop sleeps for a week: its boot clock counts that."""
    bench.apply(reserve("r1", hold(1, 10)))
    bench.clock.tick(7 * 86_400)
    assert say(bench.apply(reserve("r2", hold(1, 10)))) == "held"
    assert bench.balance().presumed == 1


def test_a_clock_that_is_put_right_by_a_little_is_believed_and_by_more_is_not(bench: Bench) -> None:
    bench.apply(reserve("r1", hold(1, 10), lease_ms=10 * LEAP_MS))
    _leap(bench, LEAP_MS / 1000)
    assert say(bench.apply(reserve("r2", hold(1, 10), lease_ms=10 * LEAP_MS))) == "held"
    assert bench.book.now_ms() == START_MS + LEAP_MS
    _leap(bench, (LEAP_MS + 1) / 1000)
    with pytest.raises(ClockJump):
        bench.apply(reserve("r3", hold(1, 10)))
    assert bench.book.now_ms() == START_MS + LEAP_MS, "nor do new ids and periods come from then"


# --- an operator's word ----------------------------------------------------------------------------------


def test_a_leap_is_shown_and_showing_changes_nothing(bench: Bench) -> None:
    assert _clock(bench).leap_ms == 0
    _leap(bench, 86_400)
    for _ in range(2):
        stands = _clock(bench)
        assert (stands.wall_ms, stands.stamp.now_ms) == (START_MS + DAY_MS, START_MS)
        assert stands.leap_ms == DAY_MS
    assert bench.apply(Audit()).entries == ()


def test_a_leap_that_is_accepted_was_time(bench: Bench) -> None:
    bench.apply(reserve("r1", hold(5, 10, TODAY)))
    _leap(bench, 86_400)
    answer = _clock(bench, "accept")
    assert (answer.leap_ms, answer.stamp.now_ms) == (0, START_MS + DAY_MS)
    assert bench.balances()[TODAY.id].presumed == 5
    assert say(bench.apply(reserve("r2", hold(5, 10, TODAY)))) == "wrong period agent:a"
    assert say(bench.apply(reserve("r2", hold(5, 10, TOMORROW)))) == "held"
    (entry,) = bench.apply(Audit()).entries
    assert (entry.verb, entry.why, entry.by) == ("clock", "I looked at my watch", "ada")
    assert "accept" in entry.what
    assert entry.seq == answer.stamp.seq


def test_an_accepted_leap_is_the_measure_of_the_next(bench: Bench) -> None:
    _leap(bench, 86_400)
    _clock(bench, "accept")
    _leap(bench, 3_600)
    with pytest.raises(ClockJump):
        bench.apply(reserve("r1", hold(1, 10)))
    _leap(bench, -3_600)
    assert say(bench.apply(reserve("r1", hold(1, 10)))) == "held"


def test_a_time_that_is_set_goes_on_with_the_boot_clock(bench: Bench) -> None:
    """The clock is wrong by a day, and the operator knows what time it is: an hour later than was thought."""
    _leap(bench, 86_400)
    _clock(bench, "set", START_MS + 3_600_000)
    assert bench.book.now_ms() == START_MS + 3_600_000
    with pytest.raises(ClockJump):
        bench.apply(reserve("r1", hold(1, 10)))
    _leap(bench, 3_600 - 86_400)
    bench.clock.tick(1)
    assert say(bench.apply(reserve("r1", hold(1, 10)))) == "held"
    assert bench.book.now_ms() == START_MS + 3_601_000


MISTAKES: Final = {
    "how": Clock("guess", None, "why"),  # type: ignore[arg-type]
    "no time": Clock("set", None, "why"),
    "a time that is no whole number": Clock("set", 0.5, "why"),  # type: ignore[arg-type]
    "a time before 1970": Clock("set", -1, "why"),
    "no why": Clock("accept"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_of_an_operator_sets_nothing(mistake: str, bench: Bench) -> None:
    _leap(bench, 86_400)
    with pytest.raises(ValueError, match="must be"):
        bench.apply(MISTAKES[mistake])
    assert _clock(bench).leap_ms == DAY_MS
    assert bench.apply(Audit()).entries == ()


# --- back ------------------------------------------------------------------------------------------------


def test_a_clock_that_steps_back_reopens_nothing(bench: Bench) -> None:
    bench.clock.ms = START_MS + DAY_MS
    bench.apply(reserve("r1", hold(5, 10, TOMORROW)))
    bench.clock.tick(60)
    bench.apply(Check())
    _leap(bench, -86_400)
    assert bench.book.now_ms() == START_MS + DAY_MS + 60_000
    assert say(bench.apply(reserve("r2", hold(5, 10, TODAY)))) == "wrong period agent:a"
    assert say(bench.apply(reserve("r1", hold(5, 10, TOMORROW)))) == "presumed"


def test_a_time_that_was_wrong_is_set_back_and_leases_keep_what_is_left_of_them(bench: Bench) -> None:
    _leap(bench, 86_400)
    _clock(bench, "accept")  # which was a mistake
    bench.apply(reserve("r1", hold(1, 10), lease_ms=60_000))
    bench.clock.tick(20)
    bench.apply(reserve("r2", hold(2, 10), lease_ms=60_000))
    _leap(bench, -86_400)
    answer = _clock(bench, "set", START_MS + 20_000)
    assert answer.stamp.now_ms == bench.book.now_ms() == START_MS + 20_000
    bench.apply(reserve("r3", hold(4, 10), lease_ms=60_000))
    for seconds, presumed in ((39.999, 0), (0.001, 1), (19.999, 1), (0.001, 7)):
        bench.clock.tick(seconds)
        assert bench.balance().presumed == presumed


def test_a_time_that_is_set_back_lets_new_ids_and_periods_in(open_ledger: Callable[..., Bench]) -> None:
    """Nothing that is remembered of the wrong time may shut the ledger until that time has come."""
    bench = open_ledger(max_ended=4)
    _leap(bench, 365 * 86_400)
    _clock(bench, "accept")
    for n in range(20):  # enough to have the mark of what is forgotten there
        bench.apply(charge(_id(START_MS + 365 * DAY_MS, n), hold(1, None, "global"), actual=1))
    _leap(bench, -365 * 86_400)
    _clock(bench, "set", START_MS)
    assert say(bench.apply(reserve(_id(START_MS, 1), hold(5, 10, TODAY)))) == "held"


def _id(ms: int, n: int) -> str:
    return f"{first_of(ms)}{n:016}"


def test_a_time_that_is_set_back_reopens_no_day_that_was_spent(bench: Bench) -> None:
    bench.apply(reserve("r1", hold(10, 10, TODAY)))
    bench.apply(settle("r1", actual=10))
    _leap(bench, 86_400)
    _clock(bench, "accept")
    bench.apply(reserve("r2", hold(1, 10, TOMORROW)))
    _leap(bench, -86_400)
    _clock(bench, "set", START_MS)
    assert say(bench.apply(reserve("r3", hold(1, 10, TODAY)))) == "refused agent:a spent fits 0"


# --- the measure -----------------------------------------------------------------------------------------


class _Boot:
    def __init__(self) -> None:
        self.ms = 5_000

    def __call__(self) -> int:
        return self.ms * 1_000_000


@given(st.lists(st.tuples(st.integers(0, 100_000), st.integers(-100_000, 200_000)), max_size=20))
def test_rule_7_no_time_is_further_than_what_passed_and_what_was_put_right(moves: list[tuple[int, int]]) -> None:
    """From each step of the ledger's time to the next: at most what passed by the boot clock, and a minute."""
    boot, wall = _Boot(), START_MS
    explained = Explained(boot, wall)
    stepped, seen = boot.ms, wall
    for passed, more in moves:
        boot.ms += passed
        wall += passed + more
        now = max(seen, explained.look(wall))
        assert now <= seen + (boot.ms - stepped) + LEAP_MS
        assert (explained.leap_ms > 0) == (explained.look(wall) < wall)
        if now > seen:
            stepped, seen = boot.ms, now


def test_a_clock_of_ones_own_is_believed_whole_if_no_boot_clock_is_given_with_it() -> None:
    times = iter([START_MS, START_MS + 1_000 * DAY_MS])
    last = [START_MS]

    def clock() -> int:
        last[0] = next(times, last[0])
        return last[0] * 1_000_000

    ledger = MemoryLedger(clock=clock)
    assert say(ledger.apply(reserve("r1", hold(1, 10)))) == "held"


def test_the_machines_clocks_agree_and_its_boot_clock_goes_on() -> None:
    first = boot_ns()
    ledger = MemoryLedger()
    assert ledger.apply(Clock()).leap_ms == 0
    assert say(ledger.apply(reserve("r1", hold(1, 10)))) == "held"
    assert boot_ns() >= first


@pytest.mark.parametrize("name", ["clock", "boot_clock"])
def test_a_clock_that_is_no_function_is_refused(name: str) -> None:
    clocks: dict[str, Any] = {name: 5}
    with pytest.raises(TypeError, match=rf"MemoryLedger\.{name} must be"):
        MemoryLedger(**clocks)
