"""The mutation gate: with any one safeguard switched off, some seed breaks a law. Else the simulator is blind to it."""

from __future__ import annotations

from typing import Final

import pytest

from tests.simulation.batch import Batch
from tests.simulation.mutants import MUTANTS

SEEDS: Final = 600
"""At most, of each mode; most mutants are seen within ten."""


UNSEEN: Final = frozenset({"a commit is not synced"})
"""Since a log is synced once more when it is opened, no seed of a few shows it; the tests of power cuts do."""


@pytest.mark.parametrize("name", sorted(set(MUTANTS) - UNSEEN))
def test_a_safeguard_that_is_switched_off_is_seen(name: str) -> None:
    mutant = MUTANTS[name]
    batch = Batch(mutant)
    for mode in mutant.modes:
        batch.run(range(SEEDS), mode, mutant.ledger, stop=True)
        if batch.failures:
            print(batch.failures[0].violation)
            return
    pytest.fail(f"{SEEDS} seeds in each of {mutant.modes} are green, though {name}")
