"""A batch of commands as one transaction: what time it is, the leases that have ended, each verb, what is let go."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import apsw

from ...exceptions import ClockJump, LedgerUnavailable, LedgerWentBack
from ..clocks import Explained, NanoClock
from ..commands import Command, Reserve
from ..operations import Clock
from ..rows import Head
from . import verbs
from .database import Database
from .folding import Folder, LetGo
from .work import Work
from .writer import Asked

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Executor:
    """Executes batches on the ledger's file. Whoever leads the writer uses it."""

    def __init__(
        self, database: Database, clock: NanoClock, boot: NanoClock | None, retain_ms: int, max_ended: int | None
    ) -> None:
        self._database = database
        self._clock = clock
        self._boot = boot
        self._boot_id = None if boot is None else _boot_id()
        self.folder = Folder(retain_ms, max_ended)
        self._explained: Explained | None = None
        self._clock_sets = 0
        self._head: Head | None = None
        self._verbs: dict[type[Command[Any]], verbs.Verb] = {**verbs.VERBS, LetGo: self._let_go}

    def now_ms(self) -> int:
        wall = self._clock() // 1_000_000
        explained, head = self._explained, self._head
        if explained is None or head is None:
            return wall
        return max(head.now_ms, explained.now(wall))

    # --- batches -----------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open the file, and learn the ledger's time."""
        self._together([])

    def execute(self, batch: list[Asked]) -> None:
        """Give each command its answer, or its error, when all of them are in the file."""
        try:
            self._together(batch)
        except LedgerUnavailable:
            raise
        except Exception:
            # One broke off half way, and all were rolled back: now each by itself, so that no other has its error.
            for asked in batch:
                self._alone(asked)

    def _alone(self, asked: Asked) -> None:
        try:
            self._together([asked])
        except Exception as error:
            asked.error = error

    def _together(self, batch: list[Asked]) -> None:
        try:
            with self._database.transaction() as statements:
                work = self._start(Work(statements))
                work.sweep(verbs.SWEEP)
                for asked in batch:
                    self._answer(work, asked)
                work.accounts.flush()
                self.folder.fold(work)
                work.put_head(self._boot_id, self._boot_ms())
        except BaseException:
            if any(type(asked.command) is Clock for asked in batch):
                self._explained = None  # what an operator said of the time may not be in the file
            raise
        self._head = work.head
        self._clock_sets = work.clock_sets

    def _answer(self, work: Work, asked: Asked) -> None:
        command = asked.command
        before = work.head.seq
        try:
            if type(command) is Reserve and work.explained.leap_ms:
                raise ClockJump(work.explained.leap_ms)
            asked.answer = self._verbs[type(command)](work, command)
            asked.error = None
        except apsw.Error:
            raise
        except Exception as error:
            if work.head.seq != before:
                raise  # it may have written a half of something
            asked.error = error

    def _let_go(self, work: Work, command: LetGo) -> bool:
        work.accounts.flush()
        return self.folder.let_go(work)

    # --- where the file stands, and what time it is ------------------------------------------------------

    def _start(self, work: Work) -> Work:
        """Compare what the file says with what it said last, and tell the time."""
        head, last = work.head, self._head
        if last is not None and (head.ledger != last.ledger or (head.epoch, head.seq) < (last.epoch, last.seq)):
            raise LedgerWentBack(
                f"{self._database.path} is the ledger {head.ledger} at {head.epoch}.{head.seq}, and has answered as "
                f"{last.ledger} at {last.epoch}.{last.seq}: another file took its place"
            )
        wall = self._clock() // 1_000_000
        explained = self._explained
        if explained is None:
            explained = self._explained = Explained(self._boot, self._can_be(work, wall))
            self._clock_sets = work.clock_sets
        now = work.seen_ms
        if work.clock_sets != self._clock_sets:
            explained.anchor(now)  # an operator said what time it is, to another process
        elif last is not None:
            now = max(now, last.now_ms)
        work.explained = explained
        work.wall_ms = wall
        head.now_ms = max(now, explained.look(wall))
        return work

    def _can_be(self, work: Work, wall: int) -> int:
        """The time by the boot clock, if the machine is up since the file was last written; else by the wall clock."""
        if self._boot_id is None or work.boot != self._boot_id:
            return wall
        return work.seen_ms + max(0, self._boot_ms() - work.boot_ms)

    def _boot_ms(self) -> int:
        return 0 if self._boot is None else self._boot() // 1_000_000


def _boot_id() -> str | None:
    """What names the time that this machine has been up; None where nothing does."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return None
