"""Rule 6: after a power cut a durable ledger holds all that it answered, whatever the disk had not synced."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

import apsw
import pytest

from agent_airlock.ledger.commands import Balances, Check, Refused, WrongPeriod
from agent_airlock.ledger.sqlite import SqliteLedger
from agent_airlock.ledger.sqlite.database import Durability
from tests.ledger.clock import Clock
from tests.ledger.sqlite.disk import Disk, Left, disk
from tests.ledger.sqlite.stories import MONEY, STORIES, Story
from tests.ledger.sqlite.test_disk_faults import told

LEFT: Final[tuple[Left, ...]] = get_args(Left)


class Life:
    """A ledger's life on a disk, with what a power cut would leave at each sync of it."""

    def __init__(self, folder: Path, disk: Disk, durability: Durability) -> None:
        self.clock = Clock()
        self.stands: list[Any] = []
        """The balances that a reader sees, from before the first step to after the last."""
        self.answered: list[tuple[Any, Any]] = []
        self.cuts: list[tuple[int, int, int, dict[str, bytes]]] = []
        """How many steps were done and commands answered, what time it was, and the files that were left."""
        self._disk = disk
        path = folder / "budgets.db"
        SqliteLedger(path).close()
        disk.load(folder)
        disk.before_sync = self._cut
        self.ledger = SqliteLedger(path, vfs=disk.name, clock=self.clock, durability=durability)

    def live(self, story: Story) -> None:
        self.stands.append(self._look())
        for step in story:
            if isinstance(step, int):
                self.clock.tick(step)
            else:
                self.answered.append((step, told(self.ledger, step)[0]))
            self.stands.append(self._look())
            self._cut()
        self.ledger.close()
        self._cut()

    def fail_syncs(self, number: int) -> None:
        """The n-th sync from here fails, and the next, with which the connection would put it right as it closes."""
        at = self._disk.counts["sync"] + number
        self._disk.fail = lambda operation, count, path: (
            apsw.IOError("a fault of the test") if operation == "sync" and count in (at, at + 1) else None
        )

    def _look(self) -> Any:
        before, self._disk.before_sync = self._disk.before_sync, lambda: None  # looking is none of the story
        try:
            return stands(self.ledger)
        finally:
            self.ledger._reader.close()  # the one that writes is the last to close, and begins the log anew
            self._disk.before_sync = before

    def _cut(self) -> None:
        number = len(self.cuts)
        for left in LEFT:
            files = self._disk.left(left, number)
            self.cuts.append((len(self.stands) - 1, len(self.answered), self.clock.ms, files))


def stands(ledger: SqliteLedger) -> Any:
    return {balance.account.id: balance for balance in ledger.apply(Balances())}


WROTE_NOTHING = (Refused, WrongPeriod)
"""Answers that leave no trace: the id may have been used since."""


def opened(folder: Path, files: dict[str, bytes], now_ms: int) -> SqliteLedger:
    """The ledger that a machine finds when it has power again."""
    folder.mkdir()
    for name, content in files.items():
        if not name.endswith("-shm"):
            (folder / name).write_bytes(content)
    return SqliteLedger(folder / "budgets.db", clock=Clock(now_ms))


def lost(life: Life, folder: Path) -> Iterator[str]:
    """What each cut lost of what was answered."""
    for number, (done, answered, now_ms, files) in enumerate(life.cuts):
        ledger = opened(folder / str(number), files, now_ms)
        try:
            assert ledger.apply(Check()).problems == ()
            found = stands(ledger)
            if found not in life.stands[done : done + 2]:
                yield f"cut {number}, after {answered} answers: {found}"
            else:
                for command, answer in life.answered[:answered]:
                    if isinstance(command, MONEY) and not isinstance(answer, WROTE_NOTHING):
                        again = ledger.apply(command)
                        assert type(again) is type(answer), (number, command, again)
        finally:
            ledger.close()


@pytest.mark.parametrize("story", [name for name in STORIES if name != "many"])
def test_rule_6_a_power_cut_at_any_sync_loses_nothing_that_was_answered(story: str, tmp_path: Path) -> None:
    with disk() as controlled:
        (tmp_path / "live").mkdir()
        life = Life(tmp_path / "live", controlled, "full")
        life.live(STORIES[story])
        assert list(lost(life, tmp_path)) == []
        assert len(life.cuts) > 3 * len(life.answered)


def test_without_its_syncs_the_same_would_be_lost(tmp_path: Path) -> None:
    """What the test above can see: ``durability="normal"`` gives up just that."""
    with disk() as controlled:
        (tmp_path / "live").mkdir()
        life = Life(tmp_path / "live", controlled, "normal")
        life.live(STORIES["settled"])
        assert list(lost(life, tmp_path)) != []


def test_rule_6_a_checkpoint_that_a_power_cut_stops_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is written into the file, and begun anew, in the middle of many commands."""
    monkeypatch.setattr("agent_airlock.ledger.sqlite.database.CHECKPOINT_PAGES", 8)
    with disk() as controlled:
        (tmp_path / "live").mkdir()
        life = Life(tmp_path / "live", controlled, "full")
        life.live(STORIES["many"])
        assert list(lost(life, tmp_path)) == []
        assert controlled.counts["sync"] > 30, "checkpoints sync as well"


@pytest.mark.parametrize("number", range(1, 9))
def test_rule_6_a_sync_that_failed_and_then_a_power_cut_lose_nothing(number: int, tmp_path: Path) -> None:
    """What a failed sync left in the log is written into the file, before anything builds on it."""
    with disk() as controlled:
        (tmp_path / "live").mkdir()
        life = Life(tmp_path / "live", controlled, "full")
        life.fail_syncs(number)
        life.live(STORIES["many"][:6])
        assert list(lost(life, tmp_path)) == []
