"""A disk that fails, is full, or cannot be written: a clear error, nothing granted, and nothing acknowledged lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import apsw
import pytest

from agent_airlock.exceptions import LedgerUnavailable
from agent_airlock.ledger.commands import Balances, Check, Refused
from agent_airlock.ledger.sqlite import SqliteLedger
from tests.ledger.clock import Clock
from tests.ledger.crowd import at_once
from tests.ledger.scenario import say
from tests.ledger.sqlite.disk import Disk, Operation, disk
from tests.ledger.sqlite.stories import MONEY, STORIES, Story
from tests.ledger.words import hold, release, reserve, settle

FAULTS: Final[dict[str, tuple[Operation, type[apsw.Error], str]]] = {
    "full": ("write", apsw.FullError, "no space left"),
    "write": ("write", apsw.IOError, "the disk failed"),
    "sync": ("sync", apsw.IOError, "the disk failed"),
    "read-only": ("write", apsw.ReadOnlyError, "cannot be written"),
}
STORY: Final[Story] = [step for step in STORIES["periods and units"] + STORIES["many"] if not isinstance(step, int)]


@pytest.fixture
def controlled() -> Iterator[Disk]:
    with disk() as controlled:
        yield controlled


def _ledger(folder: Path, disk: Disk) -> SqliteLedger:
    return SqliteLedger(folder / "budgets.db", vfs=disk.name, clock=Clock())


def _at(operation: Operation, number: int, kind: type[apsw.Error], *, for_good: bool = False) -> Callable[..., Any]:
    """Fails the n-th operation of its kind, or all from there on."""

    def fail(what: Operation, count: int, path: str) -> BaseException | None:
        there = count >= number if for_good else count == number
        return kind("a fault of the test") if what == operation and there else None

    return fail


def _stands(ledger: SqliteLedger) -> Any:
    return sorted(ledger.apply(Balances()), key=lambda balance: balance.account.id)


def told(ledger: SqliteLedger, command: Any) -> tuple[Any, list[str]]:
    """The answer of a caller that sends the identical message until there is one, and the errors before it."""
    errors: list[str] = []
    while True:
        try:
            return ledger.apply(command), errors
        except LedgerUnavailable as error:
            errors.append(str(error))
            if len(errors) == 3:
                raise


@pytest.mark.parametrize("fault", FAULTS)
def test_rule_6_a_fault_at_any_write_or_sync_loses_nothing_and_leaves_no_half(
    fault: str, tmp_path: Path, controlled: Disk
) -> None:
    operation, kind, says = FAULTS[fault]
    sound = _ledger(_folder(tmp_path, "sound"), controlled)
    start = dict(controlled.counts)
    answers = [say(sound.apply(command)) for command in STORY if isinstance(command, MONEY)]
    most = controlled.counts[operation] - start[operation]
    failures = 0
    for number in range(1, most + 1):
        ledger = _ledger(_folder(tmp_path, str(number)), controlled)
        controlled.fail = _at(operation, controlled.counts[operation] + number, kind)
        for command, expected in zip(STORY, answers, strict=True):
            answer, errors = told(ledger, command)
            assert say(answer).removesuffix(" repeated") == expected
            assert all(says in error for error in errors)
            failures += len(errors)
        controlled.fail = lambda operation, count, path: None
        assert ledger.apply(Check()).problems == ()
        assert _stands(ledger) == _stands(sound)
        ledger.close()
    assert failures >= most // 2
    sound.close()


def _folder(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    return folder


@pytest.mark.parametrize("fault", FAULTS)
def test_while_the_disk_fails_nothing_is_granted_and_afterwards_the_ledger_goes_on(
    fault: str, tmp_path: Path, controlled: Disk
) -> None:
    operation, kind, says = FAULTS[fault]
    ledger = _ledger(tmp_path, controlled)
    ledger.apply(reserve("r1", hold(5, 10)))
    controlled.fail = _at(operation, 0, kind, for_good=True)
    for n in range(5):
        with pytest.raises(LedgerUnavailable, match=says):
            ledger.apply(reserve(f"s{n}", hold(1, 10)))
    controlled.fail = lambda operation, count, path: None
    assert say(ledger.apply(settle("r1", actual=3))) == "settled"
    assert ledger.apply(Check()).problems == ()
    ledger.close()


def test_on_a_full_disk_one_can_still_read(tmp_path: Path, controlled: Disk) -> None:
    ledger = _ledger(tmp_path, controlled)
    ledger.apply(reserve("r1", hold(5, 10)))
    controlled.fail = _at("write", 0, apsw.FullError, for_good=True)
    (balance,) = ledger.apply(Balances())
    assert balance.held == 5
    assert ledger.apply(Check()).problems == ()
    ledger.close()


def test_an_error_at_the_commit_is_an_error_of_every_command_of_its_batch(tmp_path: Path, controlled: Disk) -> None:
    """None of them may believe that it was granted; nor those that were refused, which saw what was not kept."""
    ledger = _ledger(tmp_path, controlled)
    inside, go = threading.Event(), threading.Event()
    together = ledger._executor.execute

    def slowly(batch: Any) -> None:
        if len(batch) == 1 and not inside.is_set():
            inside.set()
            go.wait(30)
        elif len(batch) > 1:
            controlled.fail = _at("sync", controlled.counts["sync"] + 1, apsw.IOError)
        together(batch)

    ledger._writer._execute = slowly
    first = threading.Thread(target=ledger.apply, args=(reserve("r0", hold(1, 10)),))
    first.start()
    assert inside.wait(30)

    def ask(n: int) -> str:
        if n == 0:
            while len(ledger._writer._queue) < 7:
                pass
            go.set()
            return ""
        try:
            return say(ledger.apply(reserve(f"r{n}", hold(3, 10))))
        except LedgerUnavailable as error:
            return str(error)

    answers = at_once([lambda n=n: ask(n) for n in range(8)])[1:]
    first.join()
    assert all("the disk failed" in answer for answer in answers), answers
    (balance,) = ledger.apply(Balances())
    assert balance.held in (1, 10), "all of them, or none"
    ledger.close()


# --- locks -------------------------------------------------------------------------------------------------


def test_a_lock_held_for_too_long_is_a_clear_error_that_leaves_the_ledger_usable(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "budgets.db", busy_seconds=0.05)
    other = apsw.Connection(str(tmp_path / "budgets.db"))
    other.execute("BEGIN IMMEDIATE")
    for command in (reserve("r1", hold(5, 10)), settle("r1", hold(5, 10), actual=1), release("r1")):
        with pytest.raises(LedgerUnavailable, match=r"locked by another process for more than 0\.05 s"):
            ledger.apply(command)
    assert ledger.apply(Balances()).balances == (), "reading needs no lock"
    other.execute("ROLLBACK")
    assert say(ledger.apply(reserve("r1", hold(5, 10)))) == "held"


def test_a_lock_that_is_let_go_in_time_is_only_a_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = SqliteLedger(tmp_path / "budgets.db")
    other = apsw.Connection(str(tmp_path / "budgets.db"))
    other.execute("BEGIN IMMEDIATE")
    waiting = threading.Event()
    monkeypatch.setattr(ledger._database, "_poll", waiting.set)
    thread = threading.Thread(target=ledger.apply, args=(reserve("r1", hold(5, 10)),))
    thread.start()
    assert waiting.wait(30)
    other.execute("ROLLBACK")
    thread.join(30)
    assert not isinstance(ledger.apply(reserve("r1", hold(5, 10))), Refused)


@pytest.mark.skipif(not Path("/proc").exists(), reason="permissions of Linux")
def test_a_file_that_cannot_be_written_is_named_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """(Root may write it all the same: SQLite is asked to open it for reading only.)"""
    path = tmp_path / "budgets.db"
    SqliteLedger(path).close()
    path.chmod(0o400)
    monkeypatch.setattr(
        "agent_airlock.ledger.sqlite.files.connect",
        lambda path, vfs: apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY, vfs=vfs),
    )
    with pytest.raises(LedgerUnavailable, match="the file cannot be written"):
        SqliteLedger(path)
