"""Rule 12: each format that was released is opened, an older one migrated with a copy kept, a newer one refused."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path
from typing import Any, Final

import pytest

from agent_airlock.exceptions import LedgerUnavailable
from agent_airlock.ledger.commands import Balances, Check
from agent_airlock.ledger.sqlite import SqliteLedger, schema
from tests.ledger.clock import Clock
from tests.ledger.sqlite import sample
from tests.ledger.words import hold, release, reserve

SAMPLES: Final = sorted(sample.FOLDER.glob("format-*.db"))
NEXT: Final = {1: "ALTER TABLE audit ADD COLUMN place TEXT"}
"""A format to come, for the tests."""


def _opened(path: Path) -> SqliteLedger:
    return SqliteLedger(path, clock=Clock(sample.LATER_MS + 1_000))


def _stands(ledger: SqliteLedger) -> dict[str, tuple[int, int, int]]:
    return {b.account.id: (b.settled, b.presumed, b.held) for b in ledger.apply(Balances())}


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on this code knows one format more."""
    monkeypatch.setattr(schema, "MIGRATIONS", NEXT)
    monkeypatch.setattr(schema, "VERSION", 2)


def test_every_format_that_was_released_has_its_sample() -> None:
    assert [path.stem for path in SAMPLES] == [f"format-{number + 1}" for number in range(schema.VERSION)]


def test_the_sample_of_this_format_is_what_its_script_writes(tmp_path: Path) -> None:
    sample.write(tmp_path / "budgets.db")
    assert _stands(_opened(tmp_path / "budgets.db")) == sample.HOLDS


@pytest.mark.usefixtures("newer")
def test_rule_12_an_older_format_is_brought_up_to_date_and_a_copy_kept(tmp_path: Path) -> None:
    path = Path(shutil.copy(SAMPLES[0], tmp_path / "budgets.db"))
    ledger = _opened(path)
    assert _stands(ledger) == sample.HOLDS
    assert ledger.apply(Check()).problems == ()
    ledger.close()
    copy = tmp_path / "budgets.db.format-1"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert (_version(copy), _version(path)) == (1, 2)
    again = _opened(path)
    assert _stands(again) == sample.HOLDS
    again.close()
    assert {file.name for file in tmp_path.iterdir()} == {"budgets.db", "budgets.db.format-1"}, "one copy, once"


def _version(path: Path) -> int:
    return int.from_bytes(path.read_bytes()[60:64], "big")


@pytest.mark.usefixtures("newer")
def test_a_copy_that_is_there_already_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    (tmp_path / "budgets.db.format-1").write_bytes(b"of another time")
    _opened(Path(shutil.copy(SAMPLES[0], tmp_path / "budgets.db"))).close()
    assert (tmp_path / "budgets.db.format-1").read_bytes() == b"of another time"
    assert _version(tmp_path / "budgets.db.format-1-2") == 1


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "MIGRATIONS", {1: "DROP TABLE audit; SELECT no_such_thing FROM nowhere"})
    monkeypatch.setattr(schema, "VERSION", 2)
    path = Path(shutil.copy(SAMPLES[0], tmp_path / "budgets.db"))
    with pytest.raises(LedgerUnavailable, match="nowhere"):
        _opened(path)
    monkeypatch.undo()
    assert _stands(_opened(path)) == sample.HOLDS


def test_a_format_from_which_no_way_leads_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "VERSION", 2)
    path = Path(shutil.copy(SAMPLES[0], tmp_path / "budgets.db"))
    with pytest.raises(LedgerUnavailable, match="has the format 1, which this"):
        _opened(path)


def test_a_process_that_has_the_file_open_when_it_is_migrated_writes_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = _opened(Path(shutil.copy(SAMPLES[0], tmp_path / "budgets.db")))
    old.apply(release("c1"))
    with monkeypatch.context() as newer:
        newer.setattr(schema, "MIGRATIONS", NEXT)
        newer.setattr(schema, "VERSION", 2)
        _opened(tmp_path / "budgets.db").close()
    for command in (reserve("c2", hold(1, 100)), release("c2")):
        with pytest.raises(LedgerUnavailable, match="brought to a newer format while this process had it open"):
            old.apply(command)
    old.close()
    with pytest.raises(LedgerUnavailable, match="format 2 of a newer agent-airlock-ledger"):
        _opened(tmp_path / "budgets.db")


# --- backups -----------------------------------------------------------------------------------------------


def test_a_backup_of_a_ledger_in_use_is_a_ledger_of_one_moment(tmp_path: Path) -> None:
    ledger = _opened(Path(shutil.copy(SAMPLES[0], tmp_path / "budgets.db")))
    ledger.apply(reserve("c1", hold(1, 100)))
    ledger.back_up(tmp_path / "backup.db")
    ledger.apply(reserve("c2", hold(1, 100)))
    copy = _opened(tmp_path / "backup.db")
    assert copy.apply(Check()).problems == ()
    assert _stands(copy)["agent:a/total/usd"] == (8, 7, 6)
    assert stat.S_IMODE((tmp_path / "backup.db").stat().st_mode) == 0o600


def test_a_backup_writes_over_nothing(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "budgets.db")
    (tmp_path / "backup.db").write_bytes(b"precious")
    for target, says in (
        ("backup.db", "is there already"),
        ("budgets.db", "is there already"),
        ("no/b.db", "no folder"),
    ):
        with pytest.raises(LedgerUnavailable, match=says):
            ledger.back_up(tmp_path / target)
    assert (tmp_path / "backup.db").read_bytes() == b"precious"


def test_a_backup_of_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    ledger: Any = SqliteLedger(tmp_path / "budgets.db")
    (tmp_path / "budgets.db").unlink()
    with pytest.raises(LedgerUnavailable):
        ledger.back_up(tmp_path / "backup.db")
    assert not (tmp_path / "backup.db").exists()
