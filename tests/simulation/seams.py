"""Where a run takes hold of the package: its ids, its tracker, its logger, the size of a sweep, the table's cells."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from agent_airlock import cost_tracking, gate, quote
from agent_airlock.ledger import rules, store
from agent_airlock.ledger.commands import State
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


@contextmanager
def installed(cells: Cells) -> Iterator[None]:
    """For as long as the block runs, worlds can run; ``cells`` counts the table's cells that they hit."""
    logger = logging.getLogger("agent_airlock")
    undo: list[Callable[[], object]] = [lambda level=logger.level: logger.setLevel(level)]  # type: ignore[misc]
    logger.setLevel(logging.CRITICAL + 1)

    def put(place: Any, name: str, value: object) -> None:
        old = getattr(place, name)
        setattr(place, name, value)
        undo.append(lambda: setattr(place, name, old))

    put(gate, "IDS", Current(HERE, reuses=False))
    put(quote, "IDS", Current(HERE, reuses=True))
    put(cost_tracking, "IDS", Current(HERE, reuses=False))
    put(quote, "get_global_tracker", lambda: HERE().current.tracker)
    put(store, "MAX_OVER_ACCOUNTS", 2)
    table = dict(rules.TABLE)
    undo.append(lambda: rules.TABLE.update(table))  # type: ignore[attr-defined]
    for state, row in table.items():
        counted = [_counted(cells, state, field, cell) for field, cell in row._asdict().items()]
        rules.TABLE[state] = type(row)(*counted)  # type: ignore[index]
    try:
        yield
    finally:
        for step in reversed(undo):
            step()


def _counted(cells: Cells, state: State, field: str, cell: Callable[..., Any]) -> Callable[..., Any]:
    key = (state, field)

    def counted(*args: Any) -> Any:
        cells[key] += 1
        return cell(*args)

    return counted
