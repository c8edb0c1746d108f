"""What a durable ledger does not keep: entries after their time, accounts of the past; and no balance moves by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_airlock.ledger.accounts import Account, Crowd, Hold, Labels, Period
from agent_airlock.ledger.commands import Balances, Check, Entries, EntriesPage
from agent_airlock.ledger.operations import Compact, Open
from agent_airlock.ledger.sqlite import SqliteLedger, folding
from tests.ledger.clock import DAY_MS, START_MS, Clock
from tests.ledger.scenario import say
from tests.ledger.words import account, charge, hold, release, reserve, settle

HOUR = 3_600
DAY = 24 * HOUR


class Kept(SqliteLedger):
    """A ledger and its clock."""

    def __init__(self, path: Path, **options: float) -> None:
        self.clock = Clock()
        super().__init__(path, clock=self.clock, durability="normal", **options)  # type: ignore[arg-type]

    def rows(self, table: str) -> int:
        with self._database.transaction() as statements:
            (count,) = statements.only(f"SELECT count(*) FROM {table}")
        return int(count)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Kept]:
    ledger = Kept(tmp_path / "budgets.db")
    yield ledger
    assert ledger.apply(Check()).problems == ()
    ledger.close()


def _day(scope: str, day: int = 0) -> Account:
    return account(scope, "day", Period(START_MS + day * DAY_MS, START_MS + (day + 1) * DAY_MS))


def _sums(page: EntriesPage) -> Counter[tuple[str, str | None, str | None]]:
    """What was booked by labels: of the entries that are kept, and of those that are sums."""
    sums: Counter[tuple[str, str | None, str | None]] = Counter()
    for entry in page.entries:
        sums[entry.labels.tool, entry.labels.model, entry.labels.tier] += sum(entry.booked)
    for key, amounts in page.folded.items():
        sums[key] += sum(amounts.values())
    return +sums


def test_entries_are_kept_for_ninety_days_and_then_are_sums_of_their_month(ledger: Kept) -> None:
    for n in range(150):
        labels = Labels("tool", f"model-{n % 3}", "mid" if n % 2 else None)
        ledger.apply(charge(f"r{n:03}", hold(5, None), hold(5, None, "global"), actual=1 + n % 2, labels=labels))
    before = ledger.apply(Balances()).balances, _sums(ledger.apply(Entries()))
    ledger.clock.tick(90 * DAY)
    ledger.apply(charge("s0", hold(0, None), actual=0))
    assert ledger.rows("reservations") == 151
    assert say(ledger.apply(settle("r000", actual=1))) == "charged repeated"
    ledger.clock.tick(60)
    for n in range(3):  # each transaction lets a step go
        ledger.apply(charge(f"s{n + 1}", hold(0, None), actual=0))
    assert ledger.rows("reservations") == 4
    assert ledger.rows("holds") == 4
    assert (ledger.apply(Balances()).balances, _sums(ledger.apply(Entries()))) == before
    assert say(ledger.apply(settle("r000", hold(5, None), actual=1))) == "forgotten"
    with ledger._database.transaction() as statements:
        months = statements.all("SELECT DISTINCT month FROM months")
    assert months == [("2024-10",)]


def test_open_rows_stay_however_old_they_are_and_presumed_money_is_folded_as_presumed(ledger: Kept) -> None:
    ledger.apply(reserve("r0", hold(5, None), lease_ms=200 * DAY_MS))
    ledger.apply(reserve("r1", hold(7, None)))
    ledger.clock.tick(100 * DAY)
    for n in range(3):
        ledger.apply(charge(f"s{n}", hold(0, None), actual=0))
    ledger.clock.tick(91 * DAY)
    for n in range(3, 6):
        ledger.apply(charge(f"s{n}", hold(0, None), actual=0))
    (balance,) = ledger.apply(Balances())
    assert (balance.settled, balance.presumed, balance.held) == (0, 7, 5)
    assert [entry.id for entry in ledger.apply(Open()).entries] == ["r0"]
    assert say(ledger.apply(settle("r0", actual=3))) == "settled"
    assert say(ledger.apply(release("r1"))) == "forgotten"


@pytest.mark.parametrize(("lease_hours", "hours"), [(1, 24), (6, 60)])
def test_rule_3_an_id_is_remembered_a_day_and_ten_leases_after_its_end(
    lease_hours: int, hours: int, tmp_path: Path
) -> None:
    ledger = Kept(tmp_path / "budgets.db", retain_days=0)
    ledger.apply(reserve("r0", hold(5, None), lease_ms=lease_hours * HOUR * 1000))
    ledger.apply(settle("r0", actual=3))
    ledger.clock.tick(hours * HOUR - 1)
    ledger.apply(Compact())
    assert say(ledger.apply(settle("r0", actual=3))) == "settled repeated"
    ledger.clock.tick(2)
    assert ledger.apply(Compact()).ids == 1
    assert say(ledger.apply(settle("r0", actual=3))) == "forgotten"
    assert ledger.apply(Balances()).balances[0].settled == 3


def test_compact_lets_all_go_that_is_old_and_gives_the_room_back(ledger: Kept, tmp_path: Path) -> None:
    for n in range(1_000):
        ledger.apply(charge(f"r{n:04}", hold(1, None, _day(f"session:{n % 300}")), hold(1, None), actual=1))
    ledger.close()
    size = (tmp_path / "budgets.db").stat().st_size
    ledger.clock.tick(92 * DAY)
    compacted = ledger.apply(Compact())
    assert (compacted.ids, compacted.accounts) == (1_000, 300)
    assert ledger.apply(Balances("agent:a")).balances[0].settled == 1_000
    ledger.close()
    assert (tmp_path / "budgets.db").stat().st_size < size / 3
    assert ledger.apply(Compact()).ids == 0


def test_lines_that_come_and_go_without_end_leave_one_sum_for_their_kind(ledger: Kept) -> None:
    for n in range(300):
        ledger.apply(charge(f"r{n:03}", hold(2, None, _day(f"session:{n}")), actual=2))
    ledger.clock.tick(92 * DAY)
    ledger.apply(Compact())
    assert ledger.rows("accounts") == ledger.rows("reservations") == 0
    assert ledger.rows("months") == 1
    assert sum(_sums(ledger.apply(Entries())).values()) == 600


def test_labels_without_end_share_one_sum(ledger: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "MAX_LABELS", 10)
    for n in range(50):
        ledger.apply(charge(f"r{n:03}", hold(1, None), actual=1, labels=Labels(f"tool-{n}")))
    ledger.clock.tick(92 * DAY)
    ledger.apply(Compact())
    assert ledger.rows("months") == 11
    assert sum(_sums(ledger.apply(Entries())).values()) == 50


def test_rule_4_no_later_period_reaches_back_into_one_that_was_dropped(ledger: Kept) -> None:
    ledger.apply(charge("r0", hold(1, None, _day("agent:a")), actual=1))
    ledger.apply(reserve("r1", hold(1, 9, _day("agent:b"))))
    ledger.apply(settle("r1", actual=1))
    ledger.clock.tick(92 * DAY)
    assert ledger.apply(Compact()).accounts == 2
    wide = account("agent:b", "day", Period(START_MS, START_MS + 100 * DAY_MS))
    assert say(ledger.apply(reserve("r2", hold(1, 9, wide)))) == "period overlap agent:b"
    assert say(ledger.apply(reserve("r3", hold(1, 9, _day("agent:b", 92))))) == "held"


def test_a_crowds_account_that_is_dropped_makes_room_for_another(ledger: Kept) -> None:
    crowd = Crowd(account("agent:+", "day", Period(START_MS, START_MS + DAY_MS)), 2)
    for n in range(3):
        ledger.apply(reserve(f"r{n}", Hold(_day(f"agent:{n}"), 1, 9, crowd)))
    held = {balance.account.scope for balance in ledger.apply(Balances())}
    assert held == {"agent:0", "agent:1", "agent:+"}
    ledger.clock.tick(200 * DAY)
    ledger.apply(Compact())
    ledger.clock.tick(92 * DAY)
    ledger.apply(Compact())
    assert ledger.rows("crowds") == ledger.rows("accounts") == 0


def test_a_ledger_that_keeps_at_most_so_many_entries_keeps_the_newest(tmp_path: Path) -> None:
    ledger = Kept(tmp_path / "budgets.db", max_ended=20)
    for n in range(200):
        ledger.apply(charge(f"r{n:03}", hold(1, None), actual=1))
    assert [entry.id for entry in ledger.apply(Entries()).entries] == [f"r{n:03}" for n in range(180, 200)]
    assert ledger.apply(Balances()).balances[0].settled == 200
    assert ledger.apply(Check()).problems == ()


def test_pages_of_entries_are_all_entries_once_each(ledger: Kept) -> None:
    for n in range(25):
        ledger.apply(charge(f"r{n:02}", hold(1, None, f"team:{n % 2}"), actual=1))
    for scope, expected in ((None, 25), ("team:0", 13)):
        pages: list[str] = []
        older = None
        while True:
            page = ledger.apply(Entries(scope, 4, older))
            pages[:0] = [entry.id for entry in page.entries]
            ledger.apply(charge(f"s{len(pages):02}", hold(1, None, "other"), actual=1))  # newer ones move no page
            older = page.older
            if older is None:
                break
        assert [id for id in pages if id.startswith("r")] == pages == sorted(pages)
        assert len(pages) == expected


def test_the_log_shrinks_while_a_reader_turns_pages(ledger: Kept, tmp_path: Path) -> None:
    """A reader that kept one state open for all its pages would keep the log, however long it grew."""
    log = tmp_path / "budgets.db-wal"
    for n in range(50):
        ledger.apply(charge(f"r{n:04}", hold(1, None), actual=1))
    page = ledger.apply(Entries(limit=10))
    grown = log.stat().st_size
    connection = ledger._database._connection
    assert connection is not None
    assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0, "somebody is in the way"
    assert log.stat().st_size < grown
    assert len(ledger.apply(Entries(limit=10, older=page.older)).entries) == 10
