"""What SQLite says went wrong, in the ledger's words."""

from __future__ import annotations

import apsw

from ...exceptions import LedgerCorrupt, LedgerError, LedgerUnavailable

_CORRUPT = (apsw.CorruptError, apsw.NotADBError)


def translated(error: apsw.Error, path: str, busy_seconds: float) -> LedgerError:
    """The ledger's error for one of SQLite's."""
    if isinstance(error, _CORRUPT):
        return LedgerCorrupt(f"{path} is damaged: {error}")
    if isinstance(error, apsw.ConstraintError):
        return LedgerCorrupt(f"{path}: what was to be written breaks the ledger's format: {error}")
    return LedgerUnavailable(f"{path}: {_said(error, busy_seconds)}")


def _said(error: apsw.Error, busy_seconds: float) -> str:
    if isinstance(error, (apsw.BusyError, apsw.LockedError)):
        return f"locked by another process for more than {busy_seconds:g} s"
    if isinstance(error, apsw.FullError):
        return "there is no space left on the disk"
    if isinstance(error, (apsw.ReadOnlyError, apsw.PermissionsError)):
        return f"the file cannot be written ({error})"
    if isinstance(error, apsw.CantOpenError):
        return f"the file cannot be opened ({error})"
    if isinstance(error, apsw.IOError):
        return f"the disk failed ({error})"
    return f"{type(error).__name__}: {error}"
