"""A ledger in a SQLite file: durable, exact, shared by the threads and processes of one machine."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar, Final, Literal, cast

import apsw

from ...exceptions import LedgerUnavailable
from .. import finalisers
from ..clocks import NanoClock, boot_ns
from ..commands import A, Command, Stamp
from ..operations import Compact, Compacted
from . import copies, files, forks
from .database import BUSY_SECONDS, Database, Durability
from .executor import Executor
from .folding import RETAIN_DAYS, LetGo
from .reading import LOOKS, Look
from .verbs import MOST_SWEPT, Shrink, Sweep
from .work import Work
from .writer import Writer

_DAY_MS: Final = 86_400_000


_SLOW: Final[frozenset[type[Command[Any]]]] = frozenset({*LOOKS, Compact})
"""Verbs that take the longer, the more rows there are."""


class SqliteLedger:
    """Reservations and spend in one file, which is made if it is not there.

    Every answer is on the disk before it is given: a killed process or a power cut loses nothing that was answered.
    Concurrent callers of a process share a transaction and its sync. Sync callers need no event loop; async ones use
    the face that :meth:`for_async` gives, which never blocks their loop.

    Each transaction compares the file at the path with the one that is open: a ledger whose file was removed or
    replaced refuses, because other processes would go by another file.

    Args:
        path: the file. Its folder must be there, on a file system of this machine.
        durability: ``"normal"`` does not wait for the disk: faster for one caller, and a power cut may take what was
            answered last; a killed process still takes nothing.
        busy_seconds: how long a command waits for other processes.
        retain_days: how long an ended reservation is kept as an entry. Then it is folded into monthly sums.
        max_ended: how many ended reservations are kept, at most; None: all, for as long as ``retain_days`` says.
        clock, boot_clock: as for ``MemoryLedger``.
        vfs: SQLite's file layer, by name; for tests.

    Raises:
        LedgerUnavailable: no ledger can be made or opened there; the message says why.
        LedgerCorrupt: the file is damaged, or no SQLite database. It is left as it is.
        ValueError: naming the argument.
    """

    is_async: ClassVar[Literal[False]] = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        durability: Durability = "full",
        busy_seconds: float = BUSY_SECONDS,
        retain_days: float = RETAIN_DAYS,
        max_ended: int | None = None,
        clock: NanoClock | None = None,
        boot_clock: NanoClock | None = None,
        vfs: str | None = None,
    ) -> None:
        _check_options(durability, busy_seconds, retain_days, max_ended)
        files.refuse_old_library(apsw.sqlite_lib_version())
        self.path: Final = files.place(path)
        if files.identity(self.path) is None:
            files.make(self.path, vfs)
        self._vfs = vfs
        self._database = Database(self.path, durability, busy_seconds, vfs)
        self._executor = Executor(
            self._database,
            time.time_ns if clock is None else clock,
            boot_ns if clock is None and boot_clock is None else boot_clock,
            int(retain_days * _DAY_MS),
            max_ended,
        )
        self._writer = Writer(self._executor.execute)
        self._reader = Database(self.path, durability, busy_seconds, vfs, writes=False)
        self._reading = threading.Lock()
        self._async: AsyncSqliteLedger | None = None
        self._executor.open()
        forks.watch(self)

    def now_ms(self) -> int:
        """The ledger's time, as well as it is known here; milliseconds since 1970."""
        return self._executor.now_ms()

    def apply(self, command: Command[A], /) -> A:
        """One verb, one answer, which is on the disk; see ``rules.py`` for what each means.

        Raises:
            LedgerUnavailable: there is no answer; whether the verb took effect is not known.
            ClockJump: a reserve, while the clock is ahead of what can be.
            LedgerCorrupt: the file is damaged, or a rule of the money does not hold.
        """
        if finalisers.waiting():
            finalisers.drain()
        kind = type(command)
        answer: A
        if kind in LOOKS:
            answer = self._look(LOOKS[kind], command)
        elif kind is Compact:
            answer = cast("A", self._compact())
        else:
            answer = self._writer.ask(command)
        return answer

    def _look(self, look: Look, command: Command[Any]) -> Any:
        """Answer from one state of the file, beside those who write; every lease that has ended is ended before."""
        with suppress(LedgerUnavailable):  # of a full or read-only disk one can still read
            while self._writer.ask(Sweep()) == MOST_SWEPT:
                pass
        with self._reading, self._reader.transaction("BEGIN") as statements:
            work = Work(statements)
            head = work.head
            now = max(head.now_ms, self.now_ms())
            return look(work, command, Stamp(head.ledger, head.epoch, head.seq, now))

    def _compact(self) -> Compacted:
        """In steps, each a transaction of its own, so that nobody waits long."""
        folder = self._executor.folder
        ids, accounts = folder.ids, folder.accounts
        while self._writer.ask(LetGo()):
            pass
        while self._writer.ask(Shrink()):
            pass
        with self._reading, self._reader.transaction("BEGIN") as statements:
            head = Work(statements).head
        return Compacted(folder.ids - ids, folder.accounts - accounts, head.stamp())

    def for_async(self) -> AsyncSqliteLedger:
        """The same ledger for async callers: its ``apply`` is awaited, and never blocks their loop."""
        if self._async is None:
            self._async = AsyncSqliteLedger(self)
        return self._async

    def back_up(self, to: str | os.PathLike[str]) -> None:
        """Copy one state of the ledger to a new file, of mode 0600, while others use it.

        Raises:
            LedgerUnavailable: something is there already, or it cannot be written.
        """
        with self._reading:  # no fork comes between
            copies.back_up(self.path, to, self._vfs)

    def close(self) -> None:
        """Let the file go. The next command opens it again."""
        with self._reading:
            self._reader.close()
        if self._writer.exclusive(self._database.busy_seconds):
            try:
                self._database.close()
            finally:
                self._writer.release()

    # --- forks -------------------------------------------------------------------------------------------

    def _before_fork(self) -> bool:
        """Close the connections, which no child may have. Whether that could be done in time."""
        seconds = self._database.busy_seconds
        if not self._reading.acquire(timeout=seconds):
            return False
        if not self._writer.exclusive(seconds):
            self._reading.release()
            return False
        self._reader.close()
        self._database.close()
        return True

    def _after_fork_in_parent(self) -> None:
        self._writer.release()
        self._reading.release()

    def _after_fork_in_child(self, closed: bool) -> None:
        self._writer = Writer(self._executor.execute)
        self._reading = threading.Lock()
        if not closed:
            self._database.inherit()
            self._reader.inherit()


class AsyncSqliteLedger:
    """A :class:`SqliteLedger` as async callers see it; made by its ``for_async``."""

    is_async: ClassVar[Literal[True]] = True

    def __init__(self, ledger: SqliteLedger) -> None:
        self.ledger: Final = ledger

    def now_ms(self) -> int:
        return self.ledger.now_ms()

    async def apply(self, command: Command[A], /) -> A:
        """As :meth:`SqliteLedger.apply`."""
        import asyncio

        if type(command) in _SLOW:
            apply: Callable[[Command[A]], A] = self.ledger.apply
            return await asyncio.to_thread(apply, command)
        if finalisers.waiting():
            finalisers.drain()
        future: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self.ledger._writer.ask_later(command, future)
        return await future


def _check_options(durability: object, busy_seconds: object, retain_days: object, max_ended: object) -> None:
    if durability not in ("full", "normal"):
        raise ValueError(f"SqliteLedger.durability must be 'full' or 'normal', not {durability!r}")
    for name, given in (("busy_seconds", busy_seconds), ("retain_days", retain_days)):
        if not isinstance(given, (int, float)) or isinstance(given, bool) or not 0 <= given < float("inf"):
            raise ValueError(f"SqliteLedger.{name} must be a number of at least 0, not {given!r}")
    if max_ended is not None and (type(max_ended) is not int or max_ended < 1):
        raise ValueError(f"SqliteLedger.max_ended must be a whole number of at least 1, or None, not {max_ended!r}")
