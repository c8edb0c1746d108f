"""Statements on a connection, typed by how many rows they answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import apsw

from ...exceptions import LedgerCorrupt

Values = tuple[Any, ...]


class Statements:
    """Runs statements. What goes wrong comes as SQLite's own error: ``Database`` translates it."""

    __slots__ = ("_connection", "_execute")

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._execute: Callable[..., Any] = cast("Any", connection).execute  # whose types are partly unknown

    def run(self, query: str, values: Values = ()) -> None:
        self._execute(query, values).fetchall()

    def insert(self, query: str, values: Values) -> int:
        """The key of the new row."""
        self._execute(query, values)
        return self._connection.last_insert_rowid()

    def all(self, query: str, values: Values = ()) -> list[Values]:
        found: list[Values] = self._execute(query, values).fetchall()
        return found

    def first(self, query: str, values: Values = ()) -> Values | None:
        found: Values | None = self._execute(query, values).fetchone()
        return found

    def only(self, query: str, values: Values = ()) -> Values:
        """The row that must be there.

        Raises:
            LedgerCorrupt: it is not.
        """
        found = self.first(query, values)
        if found is None:
            raise LedgerCorrupt(f"the ledger's file lacks a row: {query}")
        return found
