"""The ledger's file: made whole or not at all, looked at before it is opened, and told from any other.

A process that opens a database's file by itself and closes it loses all of its SQLite locks on it (POSIX). So the
file is only ever opened through SQLite's own file layer.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import apsw

from ...exceptions import LedgerCorrupt, LedgerUnavailable
from . import schema
from .errors import translated
from .places import refuse_network

Identity = tuple[int, int]
"""Device and inode."""

_MAGIC: Final = b"SQLite format 3\0"
_HEADER: Final = 100
_USER_VERSION: Final = 60
_APPLICATION_ID: Final = 68
"""Offsets in the header (sqlite.org/fileformat.html, 1.3)."""
_CHUNK: Final = 1 << 16
"""Bytes of one write. (SQLite's own layer takes less than 2¹⁷.)"""


def place(path: str | os.PathLike[str]) -> str:
    """The path of a ledger's file, absolute and without links.

    Raises:
        LedgerUnavailable: there is no such folder, it is on a network file system, or something else is there.
    """
    real = Path(os.path.realpath(path))
    try:
        if not real.parent.is_dir():
            raise LedgerUnavailable(f"{real}: there is no folder {real.parent}")
        if real.exists() and not real.is_file():
            raise LedgerUnavailable(f"{real} is no file")
    except OSError as error:
        raise LedgerUnavailable(f"{real} cannot be looked at: {error.strerror}") from error
    refuse_network(real.parent)
    return str(real)


def identity(path: str) -> Identity | None:
    try:
        found = os.stat(path)  # noqa: PTH116  (in each transaction)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise LedgerUnavailable(f"{path} cannot be looked at: {error.strerror}") from error
    return found.st_dev, found.st_ino


def connect(path: str, vfs: str | None) -> apsw.Connection:
    """A connection to a file that exists; this never makes one."""
    return apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)


def has_moved(connection: apsw.Connection) -> bool:
    """Whether the file that SQLite has open is no longer the one at its path."""
    import ctypes

    moved = ctypes.c_int(0)
    connection.file_control("main", apsw.SQLITE_FCNTL_HAS_MOVED, ctypes.addressof(moved))
    return bool(moved.value)


def refuse_old_library(version: str) -> None:
    """Refuse a SQLite that may lose data when it starts its log anew (the WAL-reset bug, in 3.7.0 to 3.51.2).

    Raises:
        LedgerUnavailable: naming the version and those where it is fixed.
    """
    number = tuple(int(part) for part in version.split(".")[:3])
    if number >= (3, 51, 3) or any(fixed <= number < (fixed[0], fixed[1] + 1, 0) for fixed in _FIXED):
        return
    raise LedgerUnavailable(
        f"SQLite {version} can corrupt a write-ahead log (fixed in 3.51.3, 3.50.7 and 3.44.6): install a newer apsw, "
        "`pip install -U apsw`"
    )


_FIXED: Final = ((3, 44, 6), (3, 50, 7))


def look_at_header(path: str, vfs: str | None) -> None:
    """See that a file is a ledger's, before a connection writes anything to it.

    Raises:
        LedgerUnavailable: no file, another program's file, or a newer format.
        LedgerCorrupt: no SQLite database.
    """
    header = _read_header(path, vfs)
    if len(header) < _HEADER or not header.startswith(_MAGIC):
        raise LedgerCorrupt(
            f"{path} is no ledger, or is damaged: it does not begin as a SQLite database does. It is left as it is"
        )
    application = int.from_bytes(header[_APPLICATION_ID : _APPLICATION_ID + 4], "big")
    if application != schema.APPLICATION_ID:
        raise LedgerUnavailable(f"{path} is another program's database, not a ledger. It is left as it is")
    schema.refuse_newer(path, int.from_bytes(header[_USER_VERSION : _USER_VERSION + 4], "big"))


def _read_header(path: str, vfs: str | None) -> bytes:
    flags = apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READONLY
    try:
        file = apsw.VFSFile(vfs or "", path, [flags, 0])
        try:
            return file.xRead(_HEADER, 0) if file.xFileSize() >= _HEADER else b""
        finally:
            file.xClose()
    except apsw.Error as error:
        raise translated(error, path, 0) from error


def has_log(path: str) -> bool:
    """Whether there is something in the file's write-ahead log."""
    try:
        return Path(f"{path}-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


def write_log_again(path: str, vfs: str | None) -> None:
    """Write the same into a file's write-ahead log as it holds, and sync it. Whoever calls has the lock of a writer."""
    flags = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_READWRITE
    log: Any = apsw.VFSFile(vfs or "", f"{path}-wal", [flags, 0])
    try:
        size = log.xFileSize()
        for start in range(0, size, _CHUNK):
            log.xWrite(log.xRead(min(_CHUNK, size - start), start), start)
        log.xSync(apsw.SQLITE_SYNC_FULL)
    finally:
        log.xClose()


# --- making one ------------------------------------------------------------------------------------------


def make(path: str, vfs: str | None) -> None:
    """Make a new ledger at the path, of mode 0600, unless there is a file: whole, or not at all.

    Raises:
        LedgerUnavailable: it cannot be made there, or a lost ledger's log is still there.
    """
    for suffix in ("-wal", "-journal"):
        if Path(path + suffix).exists() and identity(path) is None:  # looked at again: another process may be first
            raise LedgerUnavailable(
                f"{path} is not there, but {path}{suffix} is, which has the last of what a ledger held: put the ledger "
                "back, or move that file away to start anew"
            )
    try:
        with beside(path) as new:
            connection = connect(new, vfs)
            try:
                schema.create(connection)
            finally:
                connection.close()
            put(new, path)  # if another process was first, its ledger is the one
    except apsw.Error as error:
        raise translated(error, path, 0) from error


@contextmanager
def beside(path: str) -> Generator[str]:
    """An empty file of mode 0600 in the same folder, gone afterwards."""
    new = f"{path}.{os.getpid()}-{secrets.token_hex(4)}.new"
    try:
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise LedgerUnavailable(f"{path} cannot be made: {error.strerror}") from error
    try:
        yield new
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(new + suffix).unlink(missing_ok=True)


def put(new: str, path: str) -> bool:
    """Give a file that is complete its name, and have the folder remember. False if something has that name."""
    try:
        os.link(new, path)
    except FileExistsError:
        return False
    except OSError as error:
        raise LedgerUnavailable(f"{path} cannot be made: {error.strerror}") from error
    if os.name == "posix":
        folder = os.open(Path(path).parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return True
