"""Every answer says where it stands in its ledger's history; a caller that sees the history fall stops (`Watch`)."""

from __future__ import annotations

from typing import Any, Final

import pytest

from agent_airlock.exceptions import LedgerWentBack
from agent_airlock.ledger.commands import Balances, Check, Entries, Stamp
from agent_airlock.ledger.operations import Audit, Clock, Close, Compact, ListOverrides, Open
from agent_airlock.ledger.stamps import Watch
from tests.ledger.clock import DAY_MS, START_MS
from tests.ledger.ledgers import Bench
from tests.ledger.words import account, charge, freeze, hold, lifted, release, reserve, resolve, settle

CHANGES: Final[list[Any]] = [
    reserve("r1", hold(5, 10)),
    reserve("r2", hold(1, 10)),
    reserve("r3", hold(1, 10)),
    settle("r1", actual=3),
    release("r2"),
    release("r4"),
    charge("r5", hold(1, 10), actual=1),
    resolve("r3", 1),
    lifted("agent:a/total/usd", 5),
    freeze("agent:b/total/usd"),
    Close(account("session:s1")),
    Clock("set", START_MS + 1, "why"),
]
NO_CHANGES: Final[list[Any]] = [
    reserve("r1", hold(5, 10)),
    reserve("r1", hold(5, 10), nonce="other"),
    reserve("r1", hold(6, 10)),
    reserve("r9", hold(100, 10)),
    reserve("r9", hold(1, 10, "agent:b")),
    settle("r1", actual=3),
    settle("r1", actual=4),
    release("r1"),
    resolve("r1", 1),
    Close(account("session:s1")),
    *[Balances(), Entries(), Check(), Open(), ListOverrides(), Audit(), Clock()],
]


def test_the_sequence_rises_by_one_with_each_change(bench: Bench) -> None:
    start = bench.apply(Check()).stamp
    stamps = [bench.apply(command).stamp for command in CHANGES]
    assert [stamp.seq - start.seq for stamp in stamps] == list(range(1, len(CHANGES) + 1))
    assert {(stamp.ledger, stamp.epoch) for stamp in stamps} == {(start.ledger, start.epoch)}


def test_an_answer_that_wrote_nothing_carries_the_sequence_of_what_it_saw(bench: Bench) -> None:
    """Refusals too: a caller that is only ever refused sees a restore as well."""
    last = [bench.apply(command).stamp for command in CHANGES][-1]
    for command in NO_CHANGES:
        stamp = bench.apply(command).stamp
        assert (stamp.ledger, stamp.epoch, stamp.seq) == (last.ledger, last.epoch, last.seq), command


def test_the_end_of_a_lease_is_a_change(bench: Bench) -> None:
    before = bench.apply(reserve("r1", hold(5, 10))).stamp.seq
    bench.clock.tick(60)
    assert bench.apply(Balances()).stamp.seq == before + 1


def test_the_sequence_never_falls_whatever_is_forgotten_or_compacted(bench: Bench) -> None:
    seen = [bench.apply(reserve("r0", hold(1, None))).stamp.seq]
    charges = [charge(f"r{n:02}", hold(1, None), actual=1) for n in range(1, 50)]
    seen.extend(bench.apply(command).stamp.seq for command in charges)
    bench.clock.ms += 1_000 * DAY_MS
    seen.append(bench.apply(Compact()).stamp.seq)
    seen.append(bench.apply(Check()).stamp.seq)
    assert seen == sorted(seen)


def test_a_stamp_tells_the_ledgers_time(bench: Bench) -> None:
    bench.clock.tick(90)
    assert bench.apply(reserve("r1", hold(1, 10))).stamp.now_ms == START_MS + 90_000
    assert bench.apply(reserve("r2", hold(100, 10))).stamp.now_ms == START_MS + 90_000


# --- the watch -------------------------------------------------------------------------------------------


def _stamp(seq: int, *, epoch: int = 1, ledger: str = "one") -> Stamp:
    return Stamp(ledger, epoch, seq, START_MS)


def _asked(watch: Watch, stamp: Stamp) -> None:
    watch.see(stamp, watch.newest)


def test_a_history_that_goes_on_is_seen_without_a_word() -> None:
    watch = Watch()
    for seq in (7, 7, 8, 20):
        _asked(watch, _stamp(seq))
    assert watch.newest == _stamp(20)


def test_a_history_that_falls_is_a_ledger_that_went_back() -> None:
    watch = Watch()
    _asked(watch, _stamp(8))
    with pytest.raises(LedgerWentBack, match=r"1\.7.*1\.8"):
        _asked(watch, _stamp(7))
    with pytest.raises(LedgerWentBack):
        _asked(watch, _stamp(7))
    _asked(watch, _stamp(8))


def test_another_ledger_in_its_place_is_a_ledger_that_went_back() -> None:
    """A failover to an empty one."""
    watch = Watch()
    _asked(watch, _stamp(8))
    with pytest.raises(LedgerWentBack, match="in the place of"):
        _asked(watch, _stamp(9, ledger="two"))
    assert watch.newest == _stamp(8)


def test_a_history_that_was_cut_on_purpose_starts_anew_and_the_one_before_is_over() -> None:
    watch = Watch()
    _asked(watch, _stamp(8))
    _asked(watch, _stamp(0, epoch=2))
    with pytest.raises(LedgerWentBack):
        _asked(watch, _stamp(9))


def test_answers_that_were_under_way_together_may_come_in_any_order() -> None:
    watch = Watch()
    _asked(watch, _stamp(5))
    first, second = watch.newest, watch.newest
    watch.see(_stamp(7), second)
    watch.see(_stamp(6), first)
    assert watch.newest == _stamp(7), "the newest is remembered, not the last"
    with pytest.raises(LedgerWentBack):
        _asked(watch, _stamp(6))


def test_a_watch_over_a_ledger_is_silent_while_it_goes_on(bench: Bench) -> None:
    watch = Watch()
    for command in (*CHANGES, *NO_CHANGES):
        before = watch.newest
        watch.see(bench.apply(command).stamp, before)
