"""Copies of a ledger's file: an operator's backup, and the one that is kept of a file of an older format."""

from __future__ import annotations

import os

import apsw

from ...exceptions import LedgerUnavailable
from . import files, schema
from .errors import translated
from .statements import Statements


def copy(path: str, to: str, vfs: str | None) -> bool:
    """Copy one state of a ledger's file, of mode 0600, while others use it. False if something is there already."""
    try:
        with files.beside(to) as new:
            source = files.connect(path, vfs)
            target = files.connect(new, vfs)
            try:
                with target.backup("main", source, "main") as backup:
                    backup.step(-1)
            finally:
                target.close()
                source.close()
            return files.put(new, to)
    except apsw.Error as error:
        raise translated(error, to, 0) from error


def bring_up_to_date(connection: apsw.Connection, path: str, vfs: str | None) -> None:
    """Migrate a file of an older format, in one transaction, with a copy kept beside it.

    Raises:
        LedgerUnavailable: it is of a newer format, or of one that this code cannot migrate.
    """
    statements = Statements(connection)
    if _format(statements) == schema.VERSION:
        return
    statements.run("BEGIN IMMEDIATE")
    try:
        version = _format(statements)  # another process may have been first
        schema.refuse_newer(path, version)
        if version < schema.VERSION:
            _keep(path, version, vfs)
            schema.migrate(statements, path, version)
        statements.run("COMMIT")
    except BaseException:
        statements.run("ROLLBACK")
        raise


def _format(statements: Statements) -> int:
    (version,) = statements.only("PRAGMA user_version")
    return int(version)


def _keep(path: str, version: int, vfs: str | None) -> None:
    """The file as it is goes to ``budgets.db.format-1``; if that is taken, to ``budgets.db.format-1-2``."""
    name = f"{path}.format-{version}"
    number = 1
    while not copy(path, name if number == 1 else f"{name}-{number}", vfs):
        number += 1


def back_up(path: str, to: str | os.PathLike[str], vfs: str | None) -> None:
    """An operator's copy.

    Raises:
        LedgerUnavailable: something is there already, or it cannot be written.
    """
    target = files.place(to)
    if not copy(path, target, vfs):
        raise LedgerUnavailable(f"{target} is there already: a backup writes over nothing")
