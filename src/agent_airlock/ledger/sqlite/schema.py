"""The format of a ledger's file: a new one, and an older one brought up to date with a copy kept."""

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
"""The newest format that this code knows. Each has a script of its own: ``schema.sql`` makes the newest."""
MIGRATIONS: Final[dict[int, str]] = {}
"""By the version that a file has → the script that makes it the next."""


def refuse_other_format(version: int) -> None:
    """What another process made of the file since it was opened.

    Raises:
        LedgerUnavailable: it is of another format now.
    """
    if version != VERSION:
        raise LedgerUnavailable(
            f"the ledger's file was brought to the format {version} by a newer agent-airlock-ledger while this process "
            f"had it open; this one knows up to {VERSION}: start it again with the newer one"
        )


def script(name: str) -> str:
    return Path(__file__).parent.joinpath(name).read_text(encoding="utf-8")


def create(connection: apsw.Connection) -> None:
    """Make an empty file a ledger, with an id of its own."""
    run = Statements(connection).run
    run("PRAGMA page_size = 4096")
    run("PRAGMA auto_vacuum = INCREMENTAL")
    run("PRAGMA synchronous = FULL")
    run(f"PRAGMA application_id = {APPLICATION_ID}")
    run("BEGIN IMMEDIATE")
    run(script("schema.sql"))
    run(
        "INSERT INTO head VALUES (1, ?, ?, 1, 0, 0, NULL, 0, 0, '', 0, 0)",
        (VERSION, secrets.token_hex(8)),
    )
    run(f"PRAGMA user_version = {VERSION}")
    run("COMMIT")
    run("PRAGMA journal_mode = WAL")
