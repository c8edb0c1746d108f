"""One connection to a ledger's file: opened with care, compared in each transaction, dropped after an error."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Final, Literal

import apsw

from ...exceptions import LedgerUnavailable
from . import copies, files
from .errors import translated
from .statements import Statements

Durability = Literal["full", "normal"]

BUSY_SECONDS: Final = 5.0
"""How long a transaction waits for another process's."""
_POLL_SECONDS: Final = 0.0005
CHECKPOINT_PAGES: Final = 1_000
"""At how many pages of the log they are written into the file. (SQLite's default.)"""
_WAL_BYTES: Final = 16 << 20
"""To what the write-ahead log shrinks when all of it is in the file."""

_INHERITED: Final[list[apsw.Connection | None]] = []


class Database:
    """The file of a ledger, by path. Not thread-safe: whoever leads uses it.

    Args:
        path: absolute, without links.
        durability: ``"full"`` syncs each transaction before it is acknowledged. ``"normal"`` does not: a power cut may
            take the last ones, a killed process takes none.
        busy_seconds: how long a transaction waits for those of other processes.
        vfs: the name of SQLite's file layer; None is the platform's.
        writes: False for one that only looks.
    """

    def __init__(
        self, path: str, durability: Durability, busy_seconds: float, vfs: str | None, *, writes: bool = True
    ) -> None:
        self.path = path
        self.busy_seconds = busy_seconds
        self._durability = durability
        self._vfs = vfs
        self._writes = writes
        self._connection: apsw.Connection | None = None
        self._file: files.Identity | None = None
        self._orphaned = False

    # --- transactions ------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self, begin: str = "BEGIN IMMEDIATE") -> Generator[Statements]:
        """``BEGIN IMMEDIATE`` … ``COMMIT``. When it ends well, what it wrote is in the file, whatever happens then.

        ``BEGIN`` alone is for reading one state of the file, beside those who write.

        Raises:
            LedgerUnavailable: locked for too long, unlinked, replaced, full, read-only, a failing disk. Whether the
                transaction took effect is not known.
            LedgerCorrupt: the file is damaged.
        """
        try:
            self._roll_back()  # what an interrupt may have left open
            statements = Statements(self._open())
            statements.run(begin)
            self._compare()
            yield statements
            statements.run("COMMIT")
        except (apsw.BusyError, apsw.ConstraintError) as error:
            self._roll_back()
            raise translated(error, self.path, self.busy_seconds) from error
        except apsw.Error as error:
            self.close()
            raise translated(error, self.path, self.busy_seconds) from error
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        """To where no transaction is open; if that is not to be had, without the connection."""
        connection = self._connection
        if connection is None or not connection.in_transaction:
            return
        try:
            Statements(connection).run("ROLLBACK")
        except apsw.Error:
            self.close()

    def _compare(self) -> None:
        """The file at the path must be the one that is open: another process would go by the other one."""
        found = files.identity(self.path)
        if found != self._file:
            what = "was removed" if found is None else "was replaced by another file"
            raise LedgerUnavailable(
                f"{self.path} {what} under this process, which goes by a file that nobody else sees: put it back, or "
                "start this process again"
            )

    # --- the connection ----------------------------------------------------------------------------------

    def _open(self) -> apsw.Connection:
        connection = self._connection
        if self._orphaned:
            raise LedgerUnavailable(
                f"{self.path}: this process was forked while another thread was writing to the ledger; start it afresh "
                "(multiprocessing: 'spawn' or 'forkserver')"
            )
        if connection is None:
            connection = self._connection = self._connect()
        return connection

    def _connect(self) -> apsw.Connection:
        before = files.identity(self.path)
        if self._file is not None and before != self._file:
            self._compare()
        files.look_at_header(self.path, self._vfs)
        connection = files.connect(self.path, self._vfs)
        try:
            connection.set_busy_handler(self._busy_handler())
            self._configure(connection)
            copies.bring_up_to_date(connection, self.path, self._vfs)
            if files.identity(self.path) != before or files.has_moved(connection):
                raise LedgerUnavailable(f"{self.path} was replaced while it was opened")
        except BaseException:
            connection.close()
            raise
        self._file = before
        return connection

    def _configure(self, connection: apsw.Connection) -> None:
        if connection.readonly("main"):
            raise LedgerUnavailable(f"{self.path}: the file cannot be written")
        statements = Statements(connection)
        (mode,) = statements.only("PRAGMA journal_mode = WAL")
        if mode != "wal":
            raise LedgerUnavailable(f"{self.path}: its file system cannot keep a write-ahead log (it stays in {mode})")
        run = statements.run
        run(f"PRAGMA synchronous = {self._durability}")
        if self._durability == "full":  # where a plain sync leaves data in the disk's own cache (macOS)
            run("PRAGMA fullfsync = ON")
            run("PRAGMA checkpoint_fullfsync = ON")
        run(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        run(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
        run("PRAGMA trusted_schema = OFF")
        run("PRAGMA cell_size_check = ON")
        run("PRAGMA temp_store = MEMORY")
        if self._writes:
            self._write_log_again(statements)
        else:
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)

    def _write_log_again(self, statements: Statements) -> None:
        """What a log holds when it is opened is written and synced once more, before anything builds on it.

        A sync may have failed, in this process or in one that died of it. A system forgets which pages it could not
        write: they read as they should, and the next sync says that all is well.
        """
        if files.has_log(self.path):
            statements.run("BEGIN IMMEDIATE")
            files.write_log_again(self.path, self._vfs)
            statements.run("COMMIT")

    def _busy_handler(self) -> Callable[[int], bool]:
        """Look again soon, for a bounded time. SQLite's own handler sleeps for up to 100 ms between two looks."""
        started = 0.0

        def wait(count: int) -> bool:
            nonlocal started
            now = time.monotonic()
            if count == 0:
                started = now
            elif now - started >= self.busy_seconds:
                return False
            self._poll()
            return True

        return wait

    def _poll(self) -> None:
        time.sleep(_POLL_SECONDS * (1 + os.getpid() % 7 / 7))  # two processes do not look in step

    def inherit(self) -> None:
        """This is a child that has a connection of its parent, which was in the middle of a transaction."""
        _INHERITED.append(self._connection)  # closing it would undo what the parent is doing
        self._connection = None
        self._orphaned = True

    def close(self) -> None:
        """Let the connection go; the next transaction opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(apsw.Error):
                connection.close(True)
