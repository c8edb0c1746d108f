"""Mutants: a safeguard each, and how it is switched off. Nothing in the package knows of this.

A mutant changes a function or a cell of the package for as long as a run lasts. One that no law notices is a hole in
the simulator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.simulation.generator import MODES, Kind, Mode
from tests.simulation.seams import Seams

Switch = Callable[[Seams], None]


@dataclass(frozen=True, slots=True)
class Mutant:
    """``off`` switches the safeguard off. ``modes`` are where it is looked for, in this order.

    ``focus``: kinds of callers that need it, where chance brings too few of them together. ``ledger``: the one that has
    the safeguard.
    """

    name: str
    off: Switch
    modes: tuple[Mode, ...] = MODES
    focus: tuple[str, ...] = ()
    ledger: Kind = "memory"


MUTANTS: Final[dict[str, Mutant]] = {}


def mutant(*modes: Mode, focus: tuple[str, ...] = (), ledger: Kind = "memory") -> Callable[[Switch], Switch]:
    def register(off: Switch) -> Switch:
        name = off.__name__.replace("_", " ")
        MUTANTS[name] = Mutant(name, off, modes or MODES, focus, ledger)
        return off

    return register
