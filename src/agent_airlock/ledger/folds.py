"""The sums of what is no longer remembered one by one: an account's opening balance, by the labels of its calls."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Final

from .accounts import Account, Unit
from .commands import FoldKey
from .rows import PRESUMED, Reservation

MAX_FOLDS: Final = 10_000
"""Different (tool, model, tier) of an account's folded rows, at most; those beyond share one."""
_OVERFLOW: Final[FoldKey] = ("+", None, None)

Sums = tuple[int, int]
"""Settled, presumed."""
Update = tuple[str, FoldKey, Sums]
"""An account's id, the labels, and their new sums."""


class Folds:
    """Settled and presumed sums by account id and labels."""

    __slots__ = ("_sums",)

    def __init__(self) -> None:
        self._sums: dict[str, dict[FoldKey, Sums]] = {}

    def with_row(self, row: Reservation) -> list[Update]:
        """The sums of the row's accounts with what it booked in them. Nothing is changed."""
        labels = row.labels
        presumed = row.state is PRESUMED
        updates: list[Update] = []
        for hold, amount in zip(row.holds, row.booked):  # noqa: B905  (both are of the row)
            id, key = hold.account.id, (labels.tool, labels.model, labels.tier)
            sums = self._sums.get(id)
            if sums is None:
                settled = assumed = 0
            else:
                if key not in sums and len(sums) >= MAX_FOLDS:
                    key = _OVERFLOW
                settled, assumed = sums.get(key, (0, 0))
            updates.append((id, key, (settled, assumed + amount) if presumed else (settled + amount, assumed)))
        return updates

    def put(self, updates: Iterable[Update]) -> None:
        """Write what :meth:`with_row` worked out; twice is the same as once."""
        for id, key, amounts in updates:
            sums = self._sums.get(id)
            if sums is None:
                sums = self._sums[id] = {}
            sums[key] = amounts

    def keep(self, ids: Container[str]) -> None:
        """Forget the sums of all other accounts."""
        for id in [id for id in self._sums if id not in ids]:
            del self._sums[id]

    def opening(self, id: str) -> Sums:
        """An account's opening balance."""
        sums = self._sums.get(id, {}).values()
        return sum(settled for settled, _ in sums), sum(presumed for _, presumed in sums)

    def by_labels(self, accounts: Iterable[Account]) -> Mapping[FoldKey, Mapping[Unit, int]]:
        """What these accounts' sums are, by labels and unit."""
        found: dict[FoldKey, dict[Unit, int]] = {}
        for account, key, amount in self._each(accounts):
            amounts = found.setdefault(key, {})
            amounts[account.unit] = amounts.get(account.unit, 0) + amount
        return found

    def _each(self, accounts: Iterable[Account]) -> Iterator[tuple[Account, FoldKey, int]]:
        for account in accounts:
            for key, (settled, presumed) in self._sums.get(account.id, {}).items():
                yield account, key, settled + presumed
