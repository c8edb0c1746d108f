"""What an operator puts over limits: a line is raised until an instant, or frozen; freeze beats all."""

from __future__ import annotations

from typing import Any, Final

import pytest

from agent_airlock.ledger.accounts import Account, Period, Unit
from agent_airlock.ledger.commands import Frozen, Refused
from agent_airlock.ledger.operations import Audit, Close, ListOverrides, Overridden, Override
from agent_airlock.money import MAX_AMOUNT
from tests.ledger.clock import DAY_MS, START_MS
from tests.ledger.ledgers import Bench
from tests.ledger.scenario import say
from tests.ledger.words import account, charge, freeze, hold, lifted, release, reserve, resolve, settle, thaw

A: Final = account("agent:a")
TODAY: Final = account("agent:a", "day", Period(START_MS, START_MS + DAY_MS))
TOMORROW: Final = account("agent:a", "day", Period(START_MS + DAY_MS, START_MS + 2 * DAY_MS))


def _ask(bench: Bench, id: str, amount: int, limit: int | None = 10, where: Account = A) -> str:
    return say(bench.apply(reserve(id, hold(amount, limit, where))))


# --- raise -----------------------------------------------------------------------------------------------


def test_a_raise_is_in_force_until_its_instant_and_not_a_millisecond_longer(bench: Bench) -> None:
    bench.apply(reserve("r1", hold(10, 10), lease_ms=1_000_000))
    bench.apply(lifted(A.line, 5, START_MS + 60_000))
    bench.clock.ms = START_MS + 59_999
    assert _ask(bench, "r2", 5) == "held"
    bench.apply(release("r2"))
    bench.clock.ms = START_MS + 60_000
    assert _ask(bench, "r3", 1) == "refused agent:a held fits 0"


def test_rule_1_a_raise_opens_exactly_as_much_as_it_says(bench: Bench) -> None:
    bench.apply(lifted(A.line, 5))
    assert _ask(bench, "r1", 16) == "refused agent:a spent fits 15"
    assert _ask(bench, "r1", 15) == "held"
    assert _ask(bench, "r2", 1) == "refused agent:a held fits 0"


def test_a_refusal_names_the_limit_that_is_in_force(bench: Bench) -> None:
    bench.apply(lifted(A.line, 5))
    answer = bench.apply(reserve("r1", hold(16, 10)))
    assert isinstance(answer, Refused)
    assert (answer.refusal.limit, answer.refusal.fits) == (15, {Unit.USD: 15})


def test_when_a_raise_ends_what_was_granted_under_it_stays_and_nothing_more_is(bench: Bench) -> None:
    bench.apply(lifted(A.line, 5, START_MS + 1_000))
    assert _ask(bench, "r1", 15) == "held"
    bench.clock.tick(1)
    assert _ask(bench, "r2", 0) == "refused agent:a held fits 0"
    assert say(bench.apply(settle("r1", actual=15))) == "settled"
    assert bench.balance().overrun == 0, "a grant had allowed it"


def test_a_raise_is_of_its_line_in_every_period_and_of_no_other(bench: Bench) -> None:
    bench.apply(lifted(TODAY.line, 5))
    assert _ask(bench, "r1", 15, where=TODAY) == "held"
    others = [account("agent:a", "hour", TODAY.period), account("agent:b", "day", TODAY.period)]
    for other in (*others, account("agent:a", "day", TODAY.period, Unit.TOKENS), A):
        assert _ask(bench, "r2", 11, where=other).startswith("refused")
    bench.clock.ms = START_MS + DAY_MS
    assert _ask(bench, "r3", 15, where=TOMORROW) == "held"


def test_a_raise_takes_the_place_of_the_one_before(bench: Bench) -> None:
    """Sent twice it is the same as once: an operator whose answer was lost asks again."""
    for amount, fits in ((5, 15), (5, 15), (2, 12), (0, 10)):
        bench.apply(lifted(A.line, amount))
        assert _ask(bench, "r1", 100) == f"refused agent:a spent fits {fits}"
    assert bench.apply(ListOverrides()).overrides == ()


def test_what_only_counts_is_not_limited_by_a_raise(bench: Bench) -> None:
    bench.apply(lifted(A.line, 5))
    assert _ask(bench, "r1", 1_000, None) == "held"


def test_no_raise_lets_an_account_hold_more_than_it_can_count(bench: Bench) -> None:
    bench.apply(lifted(A.line, MAX_AMOUNT))
    assert _ask(bench, "r1", MAX_AMOUNT + 1) == f"refused agent:a spent fits {MAX_AMOUNT}"
    assert _ask(bench, "r1", MAX_AMOUNT) == "held"
    bench.apply(release("r1"))


def test_the_limit_travels_with_the_hold_and_a_raise_comes_on_top_of_each(bench: Bench) -> None:
    bench.apply(lifted(A.line, 5))
    assert _ask(bench, "r1", 10, 10) == "held"
    assert _ask(bench, "r2", 1, 5) == "refused agent:a held fits 0"
    assert _ask(bench, "r2", 5, 10) == "held"


# --- freeze ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [10, MAX_AMOUNT, None], ids=["limited", "wide", "counted"])
@pytest.mark.parametrize("amount", [0, 1])
def test_a_frozen_line_takes_no_new_hold_whatever_its_amount_and_limit(
    amount: int, limit: int | None, bench: Bench
) -> None:
    bench.apply(freeze(A.line))
    answer = bench.apply(reserve("r1", hold(amount, limit)))
    assert isinstance(answer, Frozen)
    assert answer.cause == "override"
    assert bench.balances() == {}, "it wrote nothing"


def test_freeze_beats_a_raise_that_came_before_or_after(bench: Bench) -> None:
    for command in (lifted(A.line, 5), freeze(A.line), lifted(A.line, 50)):
        bench.apply(command)
    assert _ask(bench, "r1", 1) == "frozen agent:a"
    bench.apply(thaw(A.line))
    assert _ask(bench, "r1", 60) == "held", "the raise is there still"


def test_a_freeze_lets_open_holds_end_and_books_real_money(bench: Bench) -> None:
    for n in range(4):
        _ask(bench, f"r{n}", 1)
    bench.apply(freeze(A.line))
    assert say(bench.apply(reserve("r0", hold(1, 10)))) == "held", "the answer to what was granted before"
    assert say(bench.apply(settle("r0", actual=2))) == "settled"
    assert say(bench.apply(release("r1"))) == "released"
    assert say(bench.apply(resolve("r2", 1))) == "resolved"
    assert say(bench.apply(charge("c1", hold(1, 10), actual=1))) == "charged"
    assert say(bench.apply(settle("c2", hold(1, 10), actual=1))) == "forced"
    bench.clock.tick(60)
    balance = bench.balance()
    assert (balance.settled, balance.presumed, balance.held) == (5, 1, 0)


def test_a_freeze_outlives_the_period_and_thaw_ends_it(bench: Bench) -> None:
    bench.apply(freeze(TODAY.line))
    bench.clock.ms = START_MS + DAY_MS
    assert _ask(bench, "r1", 1, where=TOMORROW) == "frozen agent:a"
    bench.apply(thaw(TODAY.line))
    assert _ask(bench, "r1", 1, where=TOMORROW) == "held"
    assert bench.apply(ListOverrides()).overrides == ()


@pytest.mark.parametrize("shut", ["closed", "saturated"])
def test_a_thaw_opens_no_account_that_is_shut_for_ever(shut: str, bench: Bench) -> None:
    if shut == "closed":
        bench.apply(Close(A))
    else:
        for n in range(2):
            bench.apply(charge(f"c{n}", hold(1, None), actual=MAX_AMOUNT))
    bench.apply(freeze(A.line))
    bench.apply(thaw(A.line))
    answer = bench.apply(reserve("r1", hold(0, MAX_AMOUNT)))
    assert isinstance(answer, Frozen)
    assert answer.cause == shut


def test_of_several_causes_the_operators_is_named(bench: Bench) -> None:
    bench.apply(Close(A))
    bench.apply(freeze(A.line))
    answer = bench.apply(reserve("r1", hold(1, 10)))
    assert isinstance(answer, Frozen)
    assert answer.cause == "override"


# --- what is listed, recorded and refused ----------------------------------------------------------------


def test_what_stands_over_limits_is_listed_and_what_says_nothing_any_more_is_not_kept(bench: Bench) -> None:
    answer = bench.apply(lifted("agent:b/day/usd", 5, START_MS + 1_000))
    assert isinstance(answer, Overridden)
    assert answer.override == Override("agent:b/day/usd", 5, START_MS + 1_000)
    bench.apply(freeze(A.line))
    bench.apply(lifted(A.line, 7))
    listed = bench.apply(ListOverrides()).overrides
    assert {override.line: override for override in listed} == {
        "agent:b/day/usd": Override("agent:b/day/usd", 5, START_MS + 1_000),
        A.line: Override(A.line, 7, None, True),
    }
    bench.clock.tick(1)
    bench.apply(thaw("agent:c/day/usd"))
    assert [override.line for override in bench.apply(ListOverrides()).overrides] == [A.line]


def test_each_word_of_an_operator_leaves_a_record(bench: Bench) -> None:
    bench.apply(reserve("r1", hold(5, 10)))
    commands = [
        lifted(A.line, 5, START_MS + 9, why="launch", by="ada"),
        freeze(A.line, why="runaway", by="bob"),
        freeze(A.line, frozen=False, why="over", by="bob"),
        resolve("r1", 3, why="the invoice", by="ada"),
    ]
    answers = [bench.apply(command) for command in commands]
    entries = bench.apply(Audit()).entries
    assert [(entry.verb, entry.target, entry.why, entry.by) for entry in entries] == [
        ("raise", A.line, "launch", "ada"),
        ("freeze", A.line, "runaway", "bob"),
        ("thaw", A.line, "over", "bob"),
        ("resolve", "r1", "the invoice", "ada"),
    ]
    assert [entry.seq for entry in entries] == [answer.stamp.seq for answer in answers]
    assert {entry.at_ms for entry in entries} == {START_MS}
    assert "5" in entries[0].what
    assert "held" in entries[3].what
    assert "3" in entries[3].what
    assert [entry.verb for entry in bench.apply(Audit(limit=2)).entries] == ["thaw", "resolve"]


def test_what_had_no_effect_leaves_no_record(bench: Bench) -> None:
    assert say(bench.apply(resolve("r1", 3))) == "no effect unknown"
    assert bench.apply(Audit()).entries == ()


MISTAKES: Final[dict[str, Any]] = {
    "a raise without a why": lifted(A.line, 5, why=""),
    "a freeze without a why": freeze(A.line, why=""),
    "a resolve without a why": resolve("r1", 5, why=""),
    "a why without end": freeze(A.line, why="x" * 1_001),
    "a name without end": freeze(A.line, by="x" * 1_001),
    "a why that is no text": freeze(A.line, why=7),  # type: ignore[arg-type]
    "a raise below 0": lifted(A.line, -1),
    "a raise that is no whole number": lifted(A.line, 0.5),  # type: ignore[arg-type]
    "a raise until no instant": lifted(A.line, 5, 0.5),  # type: ignore[arg-type]
    "a line that is no text": freeze(None),  # type: ignore[arg-type]
    "a line without end": freeze("x" * 1_001),
    "a resolve below 0": resolve("r1", -1),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_of_an_operator_raises_and_writes_nothing(mistake: str, bench: Bench) -> None:
    bench.apply(reserve("r1", hold(5, 10)))
    with pytest.raises(ValueError, match=r"must be"):
        bench.apply(MISTAKES[mistake])
    assert bench.apply(ListOverrides()).overrides == ()
    assert bench.apply(Audit()).entries == ()
    assert say(bench.apply(reserve("r1", hold(5, 10)))) == "held"


# --- limits that disagree --------------------------------------------------------------------------------


def test_two_limits_on_one_account_in_one_period_are_reported(bench: Bench) -> None:
    assert _ask(bench, "r1", 1, 10, TODAY) == "held"
    assert _ask(bench, "r2", 1, 10, TODAY) == "held"
    assert not bench.balance().limits_disagree
    (after,) = bench.apply(reserve("r3", hold(1, 20, TODAY))).after  # type: ignore[union-attr]
    assert after.limits_disagree
    (before,) = bench.apply(settle("r3", actual=1)).before  # type: ignore[union-attr]
    assert before.limits_disagree
    assert _ask(bench, "r4", 1, 20, TODAY) == "held"
    assert bench.balance().limits_disagree, "until the period ends"
    bench.clock.ms = START_MS + DAY_MS
    assert _ask(bench, "r5", 1, 20, TOMORROW) == "held"
    assert not bench.balances()[TOMORROW.id].limits_disagree


def test_a_refusal_says_that_limits_disagree(bench: Bench) -> None:
    for limit, disagrees in ((10, False), (5, True)):
        _ask(bench, "r1", 10, 10)
        answer = bench.apply(reserve("r2", hold(1, limit)))
        assert isinstance(answer, Refused)
        assert answer.refusal.limits_disagree == disagrees
    assert not bench.balance().limits_disagree, "a refusal writes nothing"


def test_a_raise_is_no_other_limit_and_neither_is_money_without_a_grant(bench: Bench) -> None:
    bench.apply(charge("c1", hold(1, 99), actual=1))
    _ask(bench, "r1", 1, 10)
    bench.apply(lifted(A.line, 5))
    _ask(bench, "r2", 1, 10)
    bench.apply(charge("c2", hold(1, 99), actual=1))
    assert not bench.balance().limits_disagree
