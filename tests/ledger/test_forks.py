"""After a fork: each child of a preloading server would have the whole cap, so a memory ledger refuses limits."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from agent_airlock.ledger import default_ledger, finalisers
from agent_airlock.ledger.commands import Check
from agent_airlock.ledger.flow import ask
from agent_airlock.ledger.ids import IDS
from agent_airlock.ledger.memory import MemoryLedger
from tests.ledger.books import Scripted
from tests.ledger.clock import START_MS
from tests.ledger.ledgers import Bench, open_bench
from tests.ledger.processes import in_child
from tests.ledger.scenario import say
from tests.ledger.words import charge, hold, release, reserve, settle

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture
def memory() -> Iterator[Bench]:
    with open_bench("memory") as bench:
        bench.apply(reserve("r1", hold(5, 10), hold(5, None, "global")))
        yield bench


def test_rule_1_a_hold_with_a_limit_is_refused_in_the_child_which_names_sqlite(memory: Bench) -> None:
    said = in_child(lambda: say(memory.apply(reserve("r2", hold(1, None, "global"), hold(1, 10)))))
    assert said.startswith("LedgerUnavailable: ")
    assert "sqlite:///" in said
    assert "fork" in said
    assert say(memory.apply(reserve("r2", hold(1, 10)))) == "held", "the parent goes on"


def test_rule_1_that_holds_in_the_childs_child_too(memory: Bench) -> None:
    def grandchild() -> str:
        return in_child(lambda: say(memory.apply(reserve("r2", hold(1, 10)))))

    assert in_child(grandchild).startswith("LedgerUnavailable: ")


def test_an_account_that_only_counts_starts_afresh_in_the_child(memory: Bench) -> None:
    def child() -> list[object]:
        before = dict(memory.balances())
        answers = [say(memory.apply(reserve("r2", hold(2, None, "global"))))]
        answers.append(say(memory.apply(settle("r2", actual=1))))
        return [before, *answers, memory.balance("global").settled, memory.apply(Check()).problems]

    assert in_child(child) == "[{}, 'held', 'settled', 1, ()]"
    assert memory.balance("global").held == 5


def test_rule_4_real_money_is_booked_in_the_child_whatever_its_limits(memory: Bench) -> None:
    def child() -> list[str]:
        return [
            say(memory.apply(settle("r1", hold(5, 10), actual=3))),
            say(memory.apply(charge("c1", hold(5, 10), actual=3))),
            say(memory.apply(release("r7"))),
        ]

    assert in_child(child) == "['forced', 'charged', 'closed']"


def test_a_ledger_made_in_the_child_holds_limits() -> None:
    def child() -> list[str]:
        own = MemoryLedger()
        return [say(own.apply(reserve("r1", hold(10, 10)))), say(own.apply(reserve("r2", hold(1, 10))))]

    assert in_child(child) == "['held', 'refused agent:a held fits 0']"


def test_a_child_of_a_process_whose_thread_holds_the_lock_does_not_hang() -> None:
    inside, leave = threading.Event(), threading.Event()
    parent = os.getpid()

    def clock() -> int:  # a ledger reads its clock with its lock held
        if os.getpid() == parent and threading.current_thread() is not threading.main_thread():
            inside.set()
            leave.wait(30)
        return START_MS * 1_000_000

    ledger = MemoryLedger(clock=clock)
    thread = threading.Thread(target=ledger.apply, args=(Check(),))
    thread.start()
    try:
        assert inside.wait(30)
        assert in_child(lambda: say(ledger.apply(reserve("r1", hold(1, None))))) == "held"
    finally:
        leave.set()
        thread.join()


def test_a_child_forked_while_a_thread_makes_the_default_ledger_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    inside, leave = threading.Event(), threading.Event()
    parent = os.getpid()

    def make() -> MemoryLedger:
        if os.getpid() == parent:
            inside.set()
            leave.wait(30)
        return MemoryLedger()

    monkeypatch.setattr("agent_airlock.ledger.MemoryLedger", make)
    monkeypatch.setattr("agent_airlock.ledger._defaults", {})
    thread = threading.Thread(target=default_ledger)
    thread.start()
    try:
        assert inside.wait(30)
        assert in_child(lambda: default_ledger().now_ms() > 0, seconds=2) == "True"
    finally:
        leave.set()
        thread.join()


def test_a_child_forked_by_a_flow_put_aside_runs_its_own(memory: Bench) -> None:
    """The same befalls a new thread of the child that gets the number of a thread which drained in the parent."""
    told = []

    class Forks(Scripted):
        def apply(self, command: Any, /) -> Any:
            def child() -> int:
                finalisers.later(ask(Scripted("answer"), Check()))
                memory.apply(Check())
                return finalisers.waiting()

            told.append(in_child(child))

    finalisers.later(ask(Forks(), Check()))
    memory.apply(Check())
    assert told == ["0"], "flows that wait in the child after a command"


def test_ids_and_nonce_of_a_child_are_its_own() -> None:
    def child() -> list[str]:
        return [IDS.nonce, IDS.make(START_MS)]

    mine = [IDS.nonce, IDS.make(START_MS)]
    children = [in_child(child) for _ in range(3)]
    assert len({str(mine), *children}) == 4
    tails = [text.split("'")[-2][-12:] for text in children] + [mine[1][-12:]]
    assert len(set(tails)) == 4
    assert len({text.split("'")[1] for text in children} | {mine[0]}) == 4
    assert IDS.nonce == mine[0], "the parent's stays"


def test_children_forked_while_threads_make_ids_do_not_hang() -> None:
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            IDS.make(START_MS)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        assert {len(in_child(lambda: IDS.make(START_MS))) for _ in range(20)} == {26}
    finally:
        stop.set()
        for thread in threads:
            thread.join()
