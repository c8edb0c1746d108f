"""The journal of a tracker that caps nothing: it says what a ledger would, keeps little, and loses nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_airlock import Airlock, BudgetConfig, Cost, CostTracker, MemoryLedger, TokenUsage, set_global_tracker
from agent_airlock.exceptions import LedgerUnavailable
from agent_airlock.journal import Journal
from agent_airlock.ledger.accounts import Labels, Unit
from agent_airlock.ledger.commands import Balances, Charge, Check, Entries, Release, Reserve, Settled, Stamp
from agent_airlock.ledger.finalisers import later
from agent_airlock.spend import CountingEpoch
from tests.gate.rig import priced
from tests.ledger.clock import Clock
from tests.ledger.crowd import at_once


def charge(number: int, tool: str = "ask", nano: Any = 5, tokens: Any = 7) -> Charge:
    actual = {Unit.TOKENS: tokens, Unit.CALLS: 1}
    return Charge(f"{number:026}", (), actual if nano is None else {**actual, Unit.USD: nano}, Labels(tool, "m", None))


# --- it is what a ledger would have said -----------------------------------------------------------------

CALLS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from((None, "m", "n")),
        st.sampled_from((None, "mid")),
        st.integers(0, 10**6),
        st.sampled_from((None, "0.05", Decimal("0.0000000015"))),
    ),
    max_size=30,
)


@given(CALLS, st.integers(1, 40))
def test_a_tracker_without_a_ledger_reads_back_what_one_with_a_ledger_does(
    calls: list[tuple[str, str | None, str | None, int, Any]], limit: int
) -> None:
    light, heavy = priced(), priced(ledger=MemoryLedger())
    for tool, model, tier, tokens, cost in calls:
        for tracker in (light, heavy):
            tracker.record(tool, TokenUsage(tokens, 1), model, tier=tier, cost=cost)
    assert isinstance(light.epoch, CountingEpoch)
    assert not isinstance(heavy.epoch, CountingEpoch)
    assert light.get_summary() == heavy.get_summary()
    said = [[(one.tool, one.model, one.tier, one.tokens, one.cost, one.presumed) for one in tracker.get_records(limit)]
            for tracker in (light, heavy)]  # fmt: skip
    assert said[0] == said[1]
    settled = [sorted((account.unit.value, balance.settled) for account, balance in tracker.epoch.balances().items())
               for tracker in (light, heavy)]  # fmt: skip
    assert settled[0] == settled[1]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 99)), max_size=60), st.integers(1, 8))
def test_sums_are_those_of_all_lines_however_few_are_kept(calls: list[tuple[str, int]], kept: int) -> None:
    journal = Journal(kept=kept)
    for number, (tool, nano) in enumerate(calls):
        journal.apply(charge(number, tool, nano))
    expected = {
        (tool, "m", None): (
            sum(nano for other, nano in calls if other == tool),
            7 * sum(other == tool for other, _ in calls),
            sum(other == tool for other, _ in calls),
        )
        for tool, _ in calls
    }
    assert journal.sums() == expected
    assert [line[0] for line in journal.newest(kept)] == [f"{number:026}" for number in range(len(calls))][-kept:]


@pytest.mark.parametrize(
    "tracker",
    [
        priced(budget=BudgetConfig(max_cost_per_session=1)),
        priced(budget=BudgetConfig(max_tokens_per_session=1)),
        priced(ledger=MemoryLedger()),
    ],
    ids=["cost cap", "token cap", "a ledger"],
)
def test_a_cap_of_a_session_and_a_ledger_of_the_user_s_are_kept_on_a_ledger(tracker: CostTracker) -> None:
    assert not isinstance(tracker.epoch, CountingEpoch)
    tracker.reset()
    assert not isinstance(tracker.epoch, CountingEpoch)


def test_a_call_in_flight_settles_in_the_epoch_in_which_it_began() -> None:
    tracker = priced()
    set_global_tracker(tracker)
    old = tracker.epoch
    try:

        @Airlock(cost=Cost("0.02 USD"))
        def search() -> None:
            tracker.reset()

        search()
    finally:
        set_global_tracker(None)
    assert old.summary().total_cost == Decimal("0.02")
    assert tracker.get_summary().total_calls == 0


# --- bounds ----------------------------------------------------------------------------------------------


def test_it_keeps_the_newest_lines_and_few_more() -> None:
    journal = Journal(kept=200)
    for number in range(1_000):
        journal.apply(charge(number))
        assert min(number + 1, 200) <= len(journal.newest(10**9)) <= 202
    assert journal.sums() == {("ask", "m", None): (5_000, 7_000, 1_000)}


def test_labels_without_end_share_one_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent_airlock.journal.MAX_LABELS", 20)
    journal = Journal(kept=1)
    for number in range(71):
        journal.apply(charge(number, f"tool-{number}"))
    sums = journal.sums()
    assert len(sums) == 22, "20 kept apart, one that the rest share, and the line that is kept"
    assert sums["+", None, None] == (250, 350, 50)
    assert sum(calls for _, _, calls in sums.values()) == 71


# --- charges ---------------------------------------------------------------------------------------------


def test_an_answer_to_a_charge_has_no_balances() -> None:
    clock = Clock()
    assert Journal(clock=clock).apply(charge(1)) == Settled(
        "charged", False, (), (), Stamp("journal", 0, 0, clock() // 10**6)
    )


def test_its_time_never_runs_back() -> None:
    clock = [5_000_000]
    journal = Journal(clock=lambda: clock[0])
    journal.apply(charge(1))
    clock[0] = 1_000_000
    assert journal.now_ms() == 5
    journal.apply(charge(2))
    assert [line[4] for line in journal.newest(2)] == [5, 5]


@pytest.mark.parametrize(("nano", "tokens"), [(-1, 0), (True, 0), (1.5, 0), (0, -1), (0, None), (0, 1.0)])
def test_money_13_an_amount_that_is_none_is_refused_and_not_written(nano: Any, tokens: Any) -> None:
    journal = Journal()
    with pytest.raises(ValueError, match="whole number of at least 0"):
        journal.apply(charge(1, nano=nano, tokens=tokens))
    assert journal.sums() == {}


def test_a_charge_without_a_price_is_not_a_charge_of_nothing() -> None:
    tracker = priced()
    epoch = tracker.epoch
    epoch.ledger.apply(charge(1, nano=None))
    epoch.ledger.apply(charge(2, nano=0))
    assert [record.cost for record in tracker.get_records()] == [None, 0]


@pytest.mark.parametrize(
    "verb", [Reserve("1", "n", (), 1, Labels("ask")), Release("1", "n"), Balances(), Entries(), Check()]
)
def test_it_has_no_answer_to_any_other_verb(verb: Any) -> None:
    with pytest.raises(LedgerUnavailable, match=type(verb).__name__):
        Journal().apply(verb)


# --- threads, interrupts, forks, finalisers --------------------------------------------------------------


def test_threads_lose_no_line_where_pages_are_turned() -> None:
    journal = Journal(kept=100)

    def work() -> None:
        for number in range(500):
            journal.apply(charge(number))

    at_once([work] * 8)
    assert journal.sums() == {("ask", "m", None): (20_000, 28_000, 4_000)}


def test_an_interrupt_while_a_page_is_turned_neither_loses_nor_doubles_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import agent_airlock.journal as module

    whole = module._sums

    def interrupted(lines: Any) -> Any:
        monkeypatch.setattr(module, "_sums", whole)
        raise KeyboardInterrupt

    journal = Journal(kept=300)
    for number in range(2):
        journal.apply(charge(number))
    monkeypatch.setattr(module, "_sums", interrupted)
    with pytest.raises(KeyboardInterrupt):
        journal.apply(charge(2))
    journal.apply(charge(3))
    assert journal.sums() == {("ask", "m", None): (20, 28, 4)}
    assert len(journal.newest(9)) == 4


def test_flows_of_finalisers_run_at_its_next_charge() -> None:
    other, journal = Journal(), Journal()

    def flow() -> Any:
        yield other, charge(1)

    later(flow())
    journal.apply(charge(2))
    assert sum(calls for _, _, calls in other.sums().values()) == 1


FORKED = """
import os
from agent_airlock import CostTracker, TokenUsage

tracker = CostTracker(pricing={"default": {"input": 1, "output": 1}})
tracker.record("ask", TokenUsage(1))
with tracker.epoch.ledger._lock:
    child = os.fork()
    if not child:
        tracker.record("ask", TokenUsage(2))
        os._exit(tracker.get_summary().total_tokens)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), tracker.get_summary().total_tokens)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_begins_anew_with_a_lock_that_nobody_holds() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.split(), done.stderr) == (["2", "1"], "")
