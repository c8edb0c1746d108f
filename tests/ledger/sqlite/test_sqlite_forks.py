"""After a fork both sides go on with the same ledger: no child has a connection, or a lock, of its parent."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_airlock.ledger.commands import Balances, Check
from agent_airlock.ledger.sqlite import SqliteLedger
from agent_airlock.ledger.sqlite.writer import Asked
from tests.ledger.clock import Clock
from tests.ledger.processes import in_child
from tests.ledger.scenario import say
from tests.ledger.words import hold, release, reserve, settle

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    ledger = SqliteLedger(tmp_path / "budgets.db", clock=Clock(), busy_seconds=2)
    ledger.apply(reserve("r1", hold(5, 10)))
    yield ledger
    assert ledger.apply(Check()).problems == ()
    ledger.close()


def test_rule_1_parent_and_child_share_one_cap(ledger: SqliteLedger) -> None:
    assert in_child(lambda: say(ledger.apply(reserve("r2", hold(3, 10))))) == "held"
    assert say(ledger.apply(reserve("r3", hold(3, 10)))) == "refused agent:a held fits 2"
    assert in_child(lambda: say(ledger.apply(settle("r1", actual=1)))) == "settled"
    assert say(ledger.apply(reserve("r3", hold(3, 10)))) == "held"


def test_a_child_of_a_fork_that_could_not_wait_for_a_transaction_refuses(ledger: SqliteLedger) -> None:
    """SQLite counts locks by file for the whole process: such a child would believe that it has its parent's."""
    ledger._database.busy_seconds = 0.05
    taken, done = threading.Event(), threading.Event()

    def lead() -> None:
        assert ledger._writer.exclusive(10)
        taken.set()
        done.wait(30)
        ledger._writer.release()

    thread = threading.Thread(target=lead)
    thread.start()
    assert taken.wait(30)
    try:
        said = in_child(lambda: ledger.apply(reserve("r2", hold(1, 10))))
    finally:
        done.set()
        thread.join()
    assert said.startswith("LedgerUnavailable: ")
    assert "forked while another thread was writing" in said
    assert say(ledger.apply(reserve("r2", hold(1, 10)))) == "held", "the parent goes on"


def test_threads_that_write_while_the_process_forks_lose_nothing(ledger: SqliteLedger) -> None:
    stop = threading.Event()
    ended = []

    def work(name: str) -> None:
        count = 0
        while not stop.is_set():
            id = f"{name}-{count:06}"
            ledger.apply(reserve(id, hold(1, None, "busy")))
            ledger.apply(settle(id, actual=1))
            count += 1
        ended.append(count)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    said = [in_child(lambda n=n: say(ledger.apply(reserve(f"c{n}", hold(1, None, "child"))))) for n in range(10)]
    stop.set()
    for thread in threads:
        thread.join()
    assert said == ["held"] * 10
    busy, child = (ledger.apply(Balances(scope)).balances[0] for scope in ("busy", "child"))
    assert (busy.settled, busy.held, child.held) == (sum(ended), 0, 10)


def test_a_child_forked_from_a_child_goes_on_too(ledger: SqliteLedger) -> None:
    assert in_child(lambda: in_child(lambda: say(ledger.apply(release("r1"))))) == "released"


def test_commands_that_wait_in_the_parent_are_not_done_again_by_the_child(ledger: SqliteLedger) -> None:
    """They would be granted twice under one id, and the parent's caller would never know."""
    ledger._writer._queue.append(Asked(reserve("r2", hold(1, 10))))
    assert in_child(lambda: len(ledger._writer._queue)) == "0"
    ledger._writer._queue.clear()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_pool_of_forked_workers_shares_one_cap(ledger: SqliteLedger) -> None:
    global _shared  # noqa: PLW0603
    _shared = ledger
    with multiprocessing.get_context("fork").Pool(3) as pool:
        said = pool.map(_ask, range(30))
    assert sorted(said).count("held") == 5
    assert set(said) == {"held", "refused agent:a held fits 0"}


_shared: SqliteLedger


def _ask(number: int) -> str:
    return say(_shared.apply(reserve(f"p{number:02}", hold(1, 10))))
