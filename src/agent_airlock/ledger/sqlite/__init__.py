"""A ledger in a SQLite file, shared by the processes of one machine."""

from __future__ import annotations

from .ledger import AsyncSqliteLedger, SqliteLedger

__all__ = ["AsyncSqliteLedger", "SqliteLedger"]
