"""Safeguards of the SQLite ledger alone, switched off."""

from __future__ import annotations

from typing import Any

from agent_airlock.ledger.sqlite import database, verbs, work
from tests.simulation.mutant import mutant
from tests.simulation.seams import Seams


@mutant("crashes", ledger="sqlite")
def a_commit_is_not_synced(seams: Seams) -> None:
    init = database.Database.__init__

    def not_synced(self: Any, path: str, durability: Any, busy_seconds: float, vfs: str | None) -> None:
        init(self, path, "normal", busy_seconds, vfs)

    seams.put(database.Database, "__init__", not_synced)


@mutant("crashes", "release", focus=("hesitant", "quitter"), ledger="sqlite")
def a_refusal_of_the_file_counts_holds_whose_lease_has_ended(seams: Seams) -> None:
    seams.put(verbs, "MOST_SWEPT", 0)


@mutant("quiet", "faults", ledger="sqlite")
def a_row_of_the_file_is_taken_as_it_was_written(seams: Seams) -> None:
    seams.put(work.Work, "current", work.Work.find)
