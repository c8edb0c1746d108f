"""A ledger's file: how it is made, which files are refused and left as they are, and what happens when it is moved."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from agent_airlock.exceptions import LedgerCorrupt, LedgerUnavailable, LedgerWentBack
from agent_airlock.ledger.commands import Check
from agent_airlock.ledger.sqlite import SqliteLedger, files, places, schema
from tests.ledger.clock import Clock
from tests.ledger.scenario import say
from tests.ledger.words import hold, release, reserve, settle

POSIX: Final = pytest.mark.skipif(os.name != "posix", reason="files of POSIX")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "budgets.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[SqliteLedger]:
    ledger = SqliteLedger(path, clock=Clock())
    yield ledger
    ledger.close()


# --- making and opening ----------------------------------------------------------------------------------


@POSIX
def test_a_new_ledger_is_for_its_owner_alone_and_nothing_else_is_left_beside_it(path: Path) -> None:
    before = os.umask(0)
    try:
        ledger = SqliteLedger(path)
        ledger.apply(reserve("r1", hold(5, 10)))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert modes == dict.fromkeys(["budgets.db", "budgets.db-wal", "budgets.db-shm"], 0o600)
        ledger.close()
        assert list(path.parent.iterdir()) == [path]
    finally:
        os.umask(before)


def test_what_a_ledger_holds_is_there_when_it_is_opened_again(path: Path) -> None:
    ledger = SqliteLedger(path)
    first = ledger.apply(reserve("r1", hold(5, 10)))
    ledger.close()
    again = SqliteLedger(path).apply(reserve("r1", hold(5, 10)))
    assert say(again) == "held"
    assert (again.stamp.ledger, again.stamp.epoch, again.stamp.seq) == (first.stamp.ledger, 1, 1)
    assert say(SqliteLedger(path).apply(reserve("r2", hold(6, 10)))) == "refused agent:a held fits 5"


def test_two_ledgers_have_ids_of_their_own(tmp_path: Path) -> None:
    stamps = [SqliteLedger(tmp_path / name).apply(Check()).stamp for name in ("a.db", "b.db")]
    assert stamps[0].ledger != stamps[1].ledger


def test_a_ledger_that_was_closed_is_opened_by_the_next_command(ledger: SqliteLedger) -> None:
    ledger.apply(reserve("r1", hold(5, 10)))
    ledger.close()
    assert say(ledger.apply(release("r1"))) == "released"


def test_a_link_leads_to_the_ledger_behind_it(path: Path, ledger: SqliteLedger) -> None:
    ledger.apply(reserve("r1", hold(5, 10)))
    link = path.parent / "link.db"
    link.symlink_to(path)
    other = SqliteLedger(link, clock=Clock())
    assert other.path == str(path)
    assert say(other.apply(reserve("r2", hold(6, 10)))) == "refused agent:a held fits 5"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable, match=r"there is no folder .*nowhere"):
        SqliteLedger(tmp_path / "nowhere" / "budgets.db")


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable, match="is no file"):
        SqliteLedger(tmp_path)


@pytest.mark.parametrize("suffix", ["-wal", "-journal"])
def test_a_lost_ledger_whose_log_is_still_there_is_not_made_anew(suffix: str, path: Path) -> None:
    log = Path(f"{path}{suffix}")
    log.write_bytes(b"the last of what it held")
    with pytest.raises(LedgerUnavailable, match=f"is not there, but .*{suffix} is"):
        SqliteLedger(path)
    assert [file.name for file in path.parent.iterdir()] == [log.name]


# --- files that are no ledgers, or not of this format ------------------------------------------------------


def _refused(path: Path, kind: type[Exception], says: str) -> None:
    """The file is refused, and left as it is."""
    before = path.read_bytes()
    with pytest.raises(kind, match=says):
        SqliteLedger(path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("content", [b"", b"\0" * 8192, b"text, and a good deal of it\n" * 300])
def test_a_file_that_is_no_database_is_refused_and_left(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    _refused(path, LedgerCorrupt, "is no ledger, or is damaged")


def test_another_programs_database_is_refused_and_left(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE notes (text)")
    other.commit()
    other.close()
    _refused(path, LedgerUnavailable, "another program's database")


def test_rule_12_a_newer_format_is_refused_and_left(path: Path) -> None:
    SqliteLedger(path).close()
    content = bytearray(path.read_bytes())
    content[60:64] = (schema.VERSION + 1).to_bytes(4, "big")
    path.write_bytes(content)
    _refused(path, LedgerUnavailable, f"format {schema.VERSION + 1} of a newer agent-airlock-ledger")


def test_damage_to_any_page_is_refused_or_found_by_check(path: Path, ledger: SqliteLedger) -> None:
    for n in range(50):
        ledger.apply(reserve(f"r{n}", hold(1, 100)))
    ledger.close()
    content = path.read_bytes()
    for page in range(0, len(content), 4096):
        start, end = page or 100, page + 2048  # the first hundred bytes are the header
        if not any(content[start:end]):
            continue
        damaged = path.with_name(f"{page}.db")
        damaged.write_bytes(content[:start] + bytes(end - start) + content[end:])
        try:
            problems = SqliteLedger(damaged, clock=Clock()).apply(Check()).problems
        except (LedgerCorrupt, LedgerUnavailable):
            continue
        assert problems, f"damage to the page at {page} was not seen"


def test_a_ledger_that_was_cut_short_is_refused(path: Path, ledger: SqliteLedger) -> None:
    ledger.apply(reserve("r1", hold(1, 100)))
    ledger.close()
    path.write_bytes(path.read_bytes()[:4096])
    with pytest.raises(LedgerCorrupt, match="damaged"):
        SqliteLedger(path)
    assert path.stat().st_size == 4096


# --- moved under an open ledger ----------------------------------------------------------------------------


@POSIX
def test_a_file_that_was_removed_refuses_every_verb(path: Path, ledger: SqliteLedger) -> None:
    """The process that has it open would go on saying yes, while a new one starts at nothing."""
    ledger.apply(reserve("r1", hold(5, 10)))
    path.unlink()
    for command in (reserve("r2", hold(1, 10)), settle("r1", actual=3), release("r1")):
        with pytest.raises(LedgerUnavailable, match="was removed under this process"):
            ledger.apply(command)
    ledger.close()
    with pytest.raises(LedgerUnavailable, match="was removed"):
        ledger.apply(release("r1"))
    assert not path.exists()


@POSIX
def test_a_file_that_was_replaced_refuses_until_it_is_put_back(path: Path, ledger: SqliteLedger) -> None:
    ledger.apply(reserve("r1", hold(5, 10)))
    aside = path.parent / "aside.db"
    path.rename(aside)
    shutil.copy(aside, path)
    with pytest.raises(LedgerUnavailable, match="was replaced by another file"):
        ledger.apply(reserve("r2", hold(1, 10)))
    aside.rename(path)
    assert say(ledger.apply(reserve("r2", hold(1, 10)))) == "held"


@POSIX
def test_a_backup_that_is_written_over_the_open_file_is_seen(path: Path, ledger: SqliteLedger) -> None:
    """The same inode, an older content: its sequence number fell."""
    ledger.apply(reserve("r1", hold(5, 10)))
    ledger.back_up(path.parent / "backup.db")
    ledger.apply(reserve("r2", hold(5, 10)))
    ledger.close()
    path.write_bytes((path.parent / "backup.db").read_bytes())
    with pytest.raises(LedgerWentBack, match=r"at 1\.1, and has answered as .* at 1\.2"):
        ledger.apply(reserve("r3", hold(5, 10)))


@POSIX
def test_looking_at_a_header_keeps_the_locks_of_an_open_ledger(path: Path, ledger: SqliteLedger) -> None:
    """A file that this process itself opens and closes would lose them: POSIX, and the reason for `look_at_header`."""
    ledger.apply(reserve("r1", hold(5, 10)))
    with ledger._database.transaction() as statements:
        statements.run("UPDATE head SET ends = ends")
        files.look_at_header(str(path), None)
        assert _another_process(path) == "busy"


def _another_process(path: Path) -> str:
    script = """if True:
        import apsw, sys
        connection = apsw.Connection(sys.argv[1])
        try:
            connection.execute("BEGIN IMMEDIATE")
        except apsw.BusyError:
            print("busy")
    """
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=30, check=True
    )
    return done.stdout.strip()


# --- where a ledger may lie --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["nfs", "cifs", "9p"])
def test_a_network_file_system_is_refused(name: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "network_file_system", lambda folder: name)
    with pytest.raises(LedgerUnavailable, match=rf"network file system \({name}\)"):
        SqliteLedger(path)
    assert not path.exists()


def test_this_disk_is_none_of_the_network(tmp_path: Path) -> None:
    assert places.network_file_system(tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_the_kind_of_a_file_system_is_read_from_statfs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_LINUX", {0x9FA0: "proc"})
    assert places.network_file_system(Path("/proc")) == "proc"


BAD: Final = ["3.7.0", "3.40.1", "3.44.5", "3.45.0", "3.50.6", "3.51.0", "3.51.2"]
GOOD: Final = ["3.44.6", "3.44.9", "3.50.7", "3.51.3", "3.52.0", "4.0.0"]


@pytest.mark.parametrize("version", BAD)
def test_a_sqlite_that_may_lose_its_log_is_refused(version: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apsw.sqlite_lib_version", lambda: version)
    with pytest.raises(LedgerUnavailable, match=rf"SQLite {version} can corrupt"):
        SqliteLedger(path)
    assert not path.exists()


@pytest.mark.parametrize("version", GOOD)
def test_a_sqlite_in_which_that_is_fixed_is_taken(version: str) -> None:
    files.refuse_old_library(version)


def test_the_tables_are_strict(path: Path, ledger: SqliteLedger) -> None:
    """Elsewhere 2⁶³ − 1 and 1 are silently a float."""
    with ledger._database.transaction() as statements:
        tables = statements.all("SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'")
    assert {name for name, strict in tables if not strict} == {"sqlite_schema"}


# --- options -----------------------------------------------------------------------------------------------

MISTAKES: Final = [
    {"durability": "off"},
    {"busy_seconds": -1},
    {"busy_seconds": float("nan")},
    {"retain_days": "90"},
    {"max_ended": 0},
    {"max_ended": 1.5},
]


@pytest.mark.parametrize("options", MISTAKES, ids=str)
def test_an_option_that_means_nothing_is_refused_by_name(options: dict[str, object], path: Path) -> None:
    (name,) = options
    with pytest.raises(ValueError, match=rf"SqliteLedger\.{name} must be"):
        SqliteLedger(path, **options)  # type: ignore[arg-type]
    assert not path.exists()
