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
Update = tuple[str, dict[FoldKey, Sums]]
"""An account's id, and its new sums by labels."""
_NO_SUMS: Final[Sums] = (0, 0)


class Folds:
    """Settled and presumed sums by account id and labels."""

    __slots__ = ("_sums",)

    def __init__(self) -> None:
        self._sums: dict[str, dict[FoldKey, Sums]] = {}

    def with_rows(self, rows: Iterable[Reservation]) -> list[Update]:
        """The sums of the rows' accounts with what they booked in them. Nothing is changed."""
        new: dict[str, dict[FoldKey, Sums]] = {}
        for row in rows:
            labels = row.labels
            label = (labels.tool, labels.model, labels.tier)
            presumed = row.state is PRESUMED
            for hold, amount in zip(row.holds, row.booked):  # noqa: B905  (both are of the row)
                id = hold.account.id
                sums = new.get(id)
                if sums is None:
                    sums = new[id] = dict(self._sums.get(id, ()))
                key = label if label in sums or len(sums) < MAX_FOLDS else _OVERFLOW
                settled, assumed = sums.get(key, _NO_SUMS)
                sums[key] = (settled, assumed + amount) if presumed else (settled + amount, assumed)
        return list(new.items())

    def put(self, updates: Iterable[Update]) -> None:
        """Write what :meth:`with_rows` worked out; twice is the same as once."""
        for id, sums in updates:
            self._sums[id] = sums

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
