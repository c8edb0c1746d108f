"""The format of a ledger's file: a new one, and an older one brought up to date."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

import apsw

from ...exceptions import LedgerUnavailable
from .statements import Statements

APPLICATION_ID: Final = 0x41524C4B
"""'ARLK', in the header of each ledger's file."""
VERSION: Final = 1
"""The newest format that this code knows: the one that ``schema.sql`` makes."""
MIGRATIONS: Final[dict[int, str]] = {}
"""By the format that a file has → the script that makes it the next."""

_SCHEMA: Final = Path(__file__).with_name("schema.sql")


def create(connection: apsw.Connection) -> None:
    """Make an empty file a ledger, with an id of its own."""
    run = Statements(connection).run
    run("PRAGMA page_size = 4096")
    run("PRAGMA auto_vacuum = INCREMENTAL")
    run("PRAGMA synchronous = FULL")
    run(f"PRAGMA application_id = {APPLICATION_ID}")
    run("BEGIN IMMEDIATE")
    run(_SCHEMA.read_text(encoding="utf-8"))
    run("INSERT INTO head VALUES (1, ?, ?, 1, 0, 0, NULL, 0, 0, '', 0, 0)", (VERSION, secrets.token_hex(8)))
    run(f"PRAGMA user_version = {VERSION}")
    run("COMMIT")
    run("PRAGMA journal_mode = WAL")


def migrate(statements: Statements, path: str, version: int) -> None:
    """Make a file of an older format one of the newest, within the transaction that is open.

    Raises:
        LedgerUnavailable: there is no way from that format.
    """
    while version < VERSION:
        script = MIGRATIONS.get(version)
        if script is None:
            raise LedgerUnavailable(
                f"{path} has the format {version}, which this agent-airlock-ledger does not know: it makes {VERSION}"
            )
        statements.run(script)
        version += 1
    statements.run("UPDATE head SET format = ?", (VERSION,))
    statements.run(f"PRAGMA user_version = {VERSION}")


def refuse_newer(path: str, version: int) -> None:
    """Refuse a file that a newer package wrote.

    Raises:
        LedgerUnavailable: naming both formats.
    """
    if version > VERSION:
        raise LedgerUnavailable(
            f"{path} has the format {version} of a newer agent-airlock-ledger; this one knows up to {VERSION}: install "
            "the newer one"
        )
