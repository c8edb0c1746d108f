"""The conformance suite: ledgers that keep the rules pass it, sync and async; each that breaks one is caught."""

from __future__ import annotations

import subprocess
import sys
import unittest
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest

from agent_airlock.ledger.commands import AsyncLedger, Balances, Charge, Check, Ledger, Release, Reserve, Settle
from agent_airlock.ledger.memory import MemoryLedger
from agent_airlock.ledger.sqlite import SqliteLedger
from agent_airlock.testing.clock import Clock
from agent_airlock.testing.conformance import OPTIONAL, LedgerConformance
from tests.ledger.ledgers import AsyncMemoryLedger, new_file
from tests.testing.broken import BROKEN, Broken, GrantsOneTooMany, KnowsNoOwner, LosesTheFifteenthRelease

# --- ledgers that keep the rules -------------------------------------------------------------------------


class TestMemoryLedger(LedgerConformance):
    supports = OPTIONAL

    def make_ledger(self, clock: Clock) -> Ledger:
        return MemoryLedger(clock=clock)


class TestAsyncMemoryLedger(LedgerConformance):
    supports = OPTIONAL

    async def make_ledger(self, clock: Clock) -> AsyncLedger:
        return AsyncMemoryLedger(MemoryLedger(clock=clock))


class TestSqliteLedger(LedgerConformance):
    supports = OPTIONAL
    seeds = range(3)
    """Each command of a run waits for the disk."""

    def make_ledger(self, clock: Clock) -> Ledger:
        return SqliteLedger(new_file(), durability="normal", clock=clock)

    def close_ledger(self, ledger: SqliteLedger) -> None:
        ledger.close()


@pytest.mark.long
class TestSqliteLedgerFromManySeeds(TestSqliteLedger):
    seeds = range(100)


# --- ledgers that break a rule ---------------------------------------------------------------------------


def suite(kind: Callable[[Clock], Any], supports: Collection[str] = OPTIONAL) -> LedgerConformance:
    body = {"supports": supports, "make_ledger": lambda self, clock: kind(clock)}
    made: LedgerConformance = type("Suite", (LedgerConformance,), body)()
    return made


def names_of(kind: type[Any]) -> set[str]:
    return {name for name in dir(kind) if name.startswith("test_") and callable(getattr(kind, name))}


@pytest.mark.parametrize(("kind", "test"), BROKEN, ids=[f"{kind.__name__}-{test}" for kind, test in BROKEN])
def test_a_ledger_that_breaks_a_rule_is_caught(kind: Callable[[Clock], Any], test: str) -> None:
    with pytest.raises(AssertionError):
        getattr(suite(kind), test)()


@pytest.mark.long
def test_every_test_of_the_suite_catches_some_ledger() -> None:
    kinds = list(dict.fromkeys(kind for kind, _ in BROKEN))
    blind = {name for name in names_of(TestMemoryLedger) if not any(_fails(kind, name) for kind in kinds)}
    assert blind == set()


def _fails(kind: Callable[[Clock], Any], test: str) -> bool:
    try:
        getattr(suite(kind), test)()
    except AssertionError:
        return True
    return False


# --- what a failure says ---------------------------------------------------------------------------------


def test_a_failure_of_the_table_names_each_cell_that_is_wrong() -> None:
    with pytest.raises(AssertionError) as caught:
        suite(KnowsNoOwner).test_money_4_the_table_of_a_held_id()
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "held × reserve, other nonce",
        "held × release, other nonce",
    ]


def test_a_failure_says_what_was_sent_what_was_answered_and_what_must_be() -> None:
    with pytest.raises(AssertionError) as caught:
        suite(GrantsOneTooMany).test_money_1_a_refused_id_holds_nothing_and_may_ask_again()
    assert str(caught.value) == (
        "reserve r2 me agent:a/total/usd 5 of 10 lease_ms 60000 presume: "
        "the ledger answers 'held'; it must be 'refused agent:a held fits 4'"
    )


def test_a_random_run_that_fails_gives_its_seed_and_its_steps_and_fails_again_by_its_seed() -> None:
    def fail(seeds: Collection[int]) -> str:
        one = suite(LosesTheFifteenthRelease)
        type(one).seeds = seeds
        with pytest.raises(AssertionError, match=r"^seed \d+: ") as caught:
            one.test_money_1_to_7_any_order_of_commands_is_answered_as_by_the_memory_ledger()
        return str(caught.value)

    first = fail(range(20))
    seed = int(first.split(":")[0].removeprefix("seed "))
    assert fail([seed]) == first
    last = first.splitlines()[-1].strip()
    assert last.startswith("release r")


# --- what a ledger may lack, and who runs the suite ------------------------------------------------------


def test_a_ledger_without_the_verbs_that_it_may_lack_has_no_tests_of_them() -> None:
    class Bare(Broken):
        def apply(self, command: Any, /) -> Any:
            if type(command) not in (Reserve, Settle, Charge, Release, Balances, Check):
                raise NotImplementedError(type(command).__name__)
            return self.inner.apply(command)

    bare = suite(Bare, supports=())
    type(bare).seeds = range(3)
    names = names_of(type(bare))
    assert names < names_of(TestMemoryLedger)
    assert len(names) > 70
    for name in names:
        getattr(bare, name)()


def test_what_is_supported_adds_its_tests_in_a_subclass_too() -> None:
    class Less(LedgerConformance):
        supports = ()

    class More(Less):
        supports = ("freeze", "raise")

    new = names_of(More) - names_of(Less)
    assert "test_money_1_a_freeze_beats_a_raise" in new
    assert "test_money_4_the_table_of_a_resolved_id" not in new


@pytest.mark.parametrize("supports", [{"freez"}, "freeze"])
def test_a_verb_that_is_none_is_refused_by_name(supports: Collection[str]) -> None:
    with pytest.raises(ValueError, match="supports must be"):
        type("Suite", (LedgerConformance,), {"supports": supports})


def test_a_suite_that_makes_no_ledger_says_what_it_must_have() -> None:
    with pytest.raises(NotImplementedError, match="make_ledger"):
        LedgerConformance().test_money_1_a_refusal_opens_no_account()


def test_unittest_runs_it_as_well() -> None:
    class Case(LedgerConformance, unittest.TestCase):
        seeds = range(1)

        def make_ledger(self, clock: Clock) -> Ledger:
            return MemoryLedger(clock=clock)

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(result)
    assert (result.testsRun, result.errors, result.failures, result.skipped) == (len(names_of(Case)), [], [], [])


def test_it_imports_no_test_framework() -> None:
    code = (
        "import sys, agent_airlock.testing.conformance\n"
        "print(sorted({'pytest', 'unittest', 'hypothesis'} & sys.modules.keys()))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.home())
    assert out.stdout.strip() == "[]"
