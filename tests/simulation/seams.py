"""Where a run takes hold of the package: its ids, its tracker, its logger, the size of a sweep, the table's cells."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from agent_airlock import cost_tracking, gate, quote, spend
from agent_airlock.ledger import memory, rules, store
from agent_airlock.ledger.commands import State
from agent_airlock.ledger.sqlite import verbs
from tests.simulation.process import Current

if TYPE_CHECKING:
    from tests.simulation.world import World

Cells = Counter[tuple[State, str]]


class Here:
    """The world that runs now."""

    def __init__(self) -> None:
        self.world: Any = None

    def __call__(self) -> World:
        world: World = self.world
        return world


HERE = Here()


class Seams:
    """What was put in the place of something, and how to take it out again."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []

    def put(self, place: Any, name: str, value: object) -> None:
        old = getattr(place, name)
        setattr(place, name, value)
        self._undo.append(lambda: setattr(place, name, old))

    def cell(self, state: State, **cells: Callable[..., Any]) -> None:
        """Other cells in the row of a state."""
        table: Any = rules.TABLE
        old = table[state]
        table[state] = old._replace(**cells)
        self._undo.append(lambda: table.__setitem__(state, old))

    def ids(self, place: Any, *, reuses: bool) -> None:
        self.put(place, "IDS", Current(HERE, reuses=reuses))

    def undo(self) -> None:
        for step in reversed(self._undo):
            step()


@contextmanager
def installed(cells: Cells, off: Callable[[Seams], None] | None = None) -> Iterator[None]:
    """For as long as the block runs, worlds can. ``cells`` counts what they hit of the table; ``off`` is a mutant's."""
    logger = logging.getLogger("agent_airlock")
    level, seams = logger.level, Seams()
    logger.setLevel(logging.CRITICAL + 1)
    seams.ids(gate, reuses=False)
    seams.ids(quote, reuses=True)
    seams.ids(cost_tracking, reuses=False)
    seams.ids(spend, reuses=False)
    seams.put(quote, "get_global_tracker", lambda: HERE().current.tracker)
    seams.put(store, "MAX_OVER_ACCOUNTS", 2)
    for module in (memory, verbs):
        seams.put(module, "SWEEP", module.SWEEP)  # each world sets it
    try:
        if off is not None:
            off(seams)
        for state, row in rules.TABLE.items():
            counted = {field: _counted(cells, state, field, cell) for field, cell in row._asdict().items()}
            seams.cell(state, **counted)
        yield
    finally:
        seams.undo()
        logger.setLevel(level)
        HERE.world = None


def _counted(cells: Cells, state: State, field: str, cell: Callable[..., Any]) -> Callable[..., Any]:
    key = (state, field)

    def counted(*args: Any) -> Any:
        if HERE.world.counts:
            cells[key] += 1
        return cell(*args)

    return counted
