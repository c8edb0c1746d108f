"""Many runs, what they hit, and what they gave up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from agent_airlock.ledger.commands import State
from agent_airlock.ledger.rules import Cells as Row
from tests.simulation.generator import Kind, Mode, generate
from tests.simulation.laws import Law
from tests.simulation.mutants import Mutant
from tests.simulation.seams import Cells, installed
from tests.simulation.world import Outcome, run

WITHOUT_ROW: Final = (State.UNKNOWN, State.FORGOTTEN)
CELLS: Final = tuple(
    (state, column)
    for state in State
    for column in Row._fields
    if not (state in WITHOUT_ROW and column.endswith("_other"))
)
"""The whole table. Where an id has no row, nobody is another caller."""

ANSWERS: Final = (
    *(f"reserve: {answer}" for answer in ("WrongPeriod", "PeriodOverlap", "Frozen", "InUse", "Conflict")),
    *("refused: spent", "refused: held", "settle: Conflict", "Forgotten"),
    *(f"settled: {how}" for how in ("settled", "late", "forced", "charged")),
)
"""What runs must be answered, beside the cells."""


class Batch:
    """Runs seeds, and adds up. ``mutant`` switches a safeguard off."""

    def __init__(self, mutant: Mutant | None = None) -> None:
        self.mutant = mutant
        self.cells: Cells = Counter()
        self.answers: Counter[str] = Counter()
        self.given_up: Counter[Law] = Counter()
        self.failures: list[Outcome] = []
        self.rows = 0

    def run(self, seeds: Iterable[int], mode: Mode, ledger: Kind = "memory", *, stop: bool = False) -> None:
        """``stop``: at the first failure."""
        off, focus = (self.mutant.off, self.mutant.focus) if self.mutant is not None else (None, ())
        with installed(self.cells, off):
            for seed in seeds:
                self._add(run(generate(seed, mode, focus, ledger)))
                if stop and self.failures:
                    return

    def _add(self, outcome: Outcome) -> None:
        self.rows += len(outcome.server.witness.rows)
        self.answers += outcome.server.witness.answers
        self.given_up += outcome.given_up
        if outcome.violation is not None:
            self.failures.append(outcome)

    def missing(self) -> list[str]:
        """Cells and answers that no run has hit."""
        cells = [f"{state.value}: {column}" for state, column in CELLS if not self.cells[state, column]]
        return cells + [answer for answer in ANSWERS if not self.answers[answer]]

    def table(self) -> str:
        """State × verb: how often each cell was hit; then the answers, and what was given up."""
        lines = [f"{'':10}" + "".join(f"{column:>15}" for column in Row._fields)]
        for state in State:
            counts = "".join(f"{self.cells[state, column]:>15,}" for column in Row._fields)
            lines.append(f"{state.value:10}{counts}")
        lines += [f"{count:10,} {answer}" for answer, count in sorted(self.answers.items())]
        lines += [f"{count:10,} given up: {law.value}" for law, count in sorted(self.given_up.items())]
        return "\n".join([*lines, f"{self.rows:10,} rows"])
