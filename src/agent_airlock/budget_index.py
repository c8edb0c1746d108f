"""Finds the budgets that apply to a call without looking at those that do not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .budgets import Budget

Values = tuple[str | None, ...]


class BudgetIndex:
    """Budgets by the kinds that they name a value of, and those values.

    A look-up costs as many dictionary hits as there are different sets of named kinds (at most 2⁸, in practice a
    few), however many budgets each holds.
    """

    __slots__ = ("_tables",)

    def __init__(self, budgets: Iterable[Budget]) -> None:
        tables: dict[tuple[str, ...], dict[Values, list[tuple[int, Budget]]]] = {}
        for place, budget in enumerate(budgets):
            named = [part for part in budget.parts if not part.wildcard]
            table = tables.setdefault(tuple(part.kind for part in named), {})
            table.setdefault(tuple(part.value for part in named), []).append((place, budget))
        self._tables: Final = tuple(tables.items())

    def matching(self, values: Mapping[str, str | None]) -> list[Budget]:
        """The budgets of a call with these values, in the order in which they were given."""
        found: list[tuple[int, Budget]] = []
        for kinds, table in self._tables:
            found += table.get(tuple([values[kind] for kind in kinds]), ())
        found.sort(key=_place)
        return [budget for _, budget in found]


def _place(item: tuple[int, Budget]) -> int:
    return item[0]
