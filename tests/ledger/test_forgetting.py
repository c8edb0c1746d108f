"""Rule 3: what a memory ledger forgets of ended ids, and that no total moves when it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from agent_airlock.ledger import memory
from agent_airlock.ledger.accounts import Labels
from agent_airlock.ledger.commands import Check, Entries, EntriesPage, Forgotten, Settled, State
from agent_airlock.ledger.memory import MemoryLedger
from tests.ledger.ledgers import Bench, open_bench
from tests.ledger.scenario import say
from tests.ledger.words import charge, hold, release, reserve, settle

HOUR = 3_600


@pytest.fixture
def small() -> Iterator[Bench]:
    """A memory ledger that remembers twenty ended ids."""
    with open_bench("memory", max_ended=20) as bench:
        yield bench


def _spend(bench: Bench, ids: range, amount: int = 1, labels: Labels | None = None) -> None:
    for n in ids:
        message = charge(f"r{n:05}", hold(amount, None), actual=amount)
        bench.apply(message if labels is None else charge(message.id, *message.holds, labels=labels))


def test_rule_3_the_newest_ended_ids_are_remembered_and_older_ones_forgotten(small: Bench) -> None:
    _spend(small, range(1_000))
    answers = [small.apply(settle(f"r{n:05}", actual=1)) for n in range(1_000)]
    assert {type(answer) for answer in answers} == {Forgotten, Settled}
    known = [n for n, answer in enumerate(answers) if isinstance(answer, Settled)]
    assert known == list(range(known[0], 1_000)), "the newest, without a gap"
    assert 15 <= len(known) <= 20
    assert small.apply(Check()).reservations == len(known)


@pytest.mark.parametrize("end", ["settled", "released", "closed", "presumed"])
def test_rule_3_a_forgotten_id_is_forgotten_to_every_verb_and_never_new(end: str, small: Bench) -> None:
    if end != "closed":
        small.apply(reserve("r0", hold(5, 10, "once")))
    if end == "settled":
        small.apply(settle("r0", actual=3))
    elif end == "presumed":
        small.clock.tick(60)
    else:
        small.apply(release("r0"))
    _spend(small, range(100, 200))
    before = small.balances()
    for nonce in ("me", "other"):
        assert say(small.apply(reserve("r0", hold(5, 10, "once"), nonce=nonce))) == "forgotten"
        assert say(small.apply(release("r0", nonce))) == "forgotten"
    assert say(small.apply(settle("r0", hold(5, 10, "once"), actual=3))) == "forgotten"
    assert say(small.apply(charge("r0", hold(5, 10, "once"), actual=3))) == "forgotten"
    assert small.balances() == before


def test_rule_3_an_open_id_is_not_forgotten_however_many_end_after_it(small: Bench) -> None:
    small.apply(reserve("r00000", hold(5, None), lease_ms=HOUR * 1000))
    _spend(small, range(1, 1_000))
    assert say(small.apply(reserve("r00000", hold(5, None), lease_ms=HOUR * 1000))) == "held"
    assert say(small.apply(settle("r00000", actual=4))) == "settled"
    assert small.balance().settled == 999 + 4


def test_totals_and_check_are_untouched_by_forgetting(small: Bench) -> None:
    """Rule 4: what was forgotten stays booked, settled as settled and presumed as presumed."""
    for n in range(300):
        id = f"r{n:05}"
        small.apply(reserve(id, hold(5, None), hold(5, None, "global")))
        if n % 3 == 0:
            small.apply(settle(id, actual=3))
        elif n % 3 == 1:
            small.apply(release(id))
        else:
            small.clock.tick(61)
        assert small.apply(Check()).problems == ()
    for scope in ("agent:a", "global"):
        balance = small.balance(scope)
        assert (balance.settled, balance.presumed, balance.held) == (300, 500, 0)


def _sums(page: EntriesPage) -> Counter[tuple[str, str | None, str | None]]:
    """What was booked by tool, model and tier: of the entries that are kept, and of those that are folded."""
    sums: Counter[tuple[str, str | None, str | None]] = Counter()
    for entry in page.entries:
        sums[entry.labels.tool, entry.labels.model, entry.labels.tier] += sum(entry.booked)
    for key, amounts in page.folded.items():
        sums[key] += sum(amounts.values())
    return +sums


def test_entries_and_folded_sums_together_are_the_whole_spend_by_label(small: Bench) -> None:
    for n in range(300):
        _spend(small, range(n, n + 1), 1 + n % 2, Labels("tool", f"model-{n % 3}", "mid" if n % 2 else None))
    sums = _sums(small.apply(Entries()))
    assert sum(sums.values()) == small.balance().settled == 450
    assert set(sums.values()) == {50, 100}
    assert len(small.apply(Entries()).entries) <= 20


def test_labels_without_end_share_one_sum_and_no_money_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent_airlock.ledger.folds.MAX_FOLDS", 10)
    with open_bench("memory", max_ended=20) as bench:
        for n in range(300):
            _spend(bench, range(n, n + 1), 1, Labels(f"tool-{n}"))
        page = bench.apply(Entries())
        assert len(page.folded) <= 11
        assert sum(_sums(page).values()) == bench.balance().settled == 300


def test_entries_are_the_newest_with_the_newest_last_and_each_id_once(bench: Bench) -> None:
    for n in range(4):
        bench.apply(reserve(f"r{n}", hold(1, None), hold(1, None, f"team:{n % 2}")))
        bench.apply(release(f"r{n}"))
    bench.apply(settle("r1", actual=1))  # late: it moved on, and is the newest now
    entries = bench.apply(Entries()).entries
    assert [(entry.id, entry.state) for entry in entries] == [
        *[("r0", State.RELEASED), ("r2", State.RELEASED), ("r3", State.RELEASED)],
        ("r1", State.SETTLED),
    ]
    assert [entry.id for entry in bench.apply(Entries(limit=2)).entries] == ["r3", "r1"]
    assert [entry.id for entry in bench.apply(Entries(scope="team:0")).entries] == ["r0", "r2"]
    assert [entry.id for entry in bench.apply(Entries(scope="team:0", limit=1)).entries] == ["r2"]


@pytest.mark.parametrize(("lease_hours", "hours"), [(1, 24), (6, 60)])
def test_rule_3_an_id_is_remembered_a_day_and_ten_leases_after_its_end(lease_hours: int, hours: int) -> None:
    with open_bench("memory", max_ended=1_000) as bench:
        bench.apply(reserve("r00000", hold(5, None), lease_ms=lease_hours * HOUR * 1000))
        bench.apply(settle("r00000", actual=3))
        _spend(bench, range(1, 200))
        bench.clock.tick(hours * HOUR - 1)
        _spend(bench, range(200, 400))
        assert say(bench.apply(settle("r00000", actual=3))) == "settled repeated"
        bench.clock.tick(2)
        _spend(bench, range(400, 600))
        assert say(bench.apply(settle("r00000", actual=3))) == "forgotten"
        assert bench.balance().settled == 599 + 3


@pytest.mark.parametrize("verb", [settle, charge, release], ids=lambda verb: verb.__name__)
@pytest.mark.parametrize("max_ended", [1, 2, 3])
def test_a_ledger_that_remembers_few_ids_ends_the_one_that_is_presumed_just_now(
    verb: Callable[..., object], max_ended: int
) -> None:
    """More leases end at once than one command sweeps: the id itself is presumed as its verb comes."""
    for ended in range(max_ended + 2):
        with open_bench("memory", max_ended=max_ended) as bench:
            for n in range(memory.SWEEP + 1):
                bench.apply(reserve(f"r{n:03}", hold(1, None)))
            for n in range(ended):
                bench.apply(release(f"a{n}"))
            bench.clock.tick(60)
            answer = bench.apply(verb(f"r{memory.SWEEP:03}"))  # type: ignore[arg-type]
            assert say(answer) == ("released" if verb is release else "settled")


@pytest.mark.parametrize("max_ended", [-1, 0])
def test_a_number_of_ids_that_means_nothing_is_refused(max_ended: int) -> None:
    with pytest.raises(ValueError, match=r"max_ended.*"):
        MemoryLedger(max_ended=max_ended)
