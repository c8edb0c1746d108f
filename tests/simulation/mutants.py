"""All mutants, by name."""

from __future__ import annotations

from tests.simulation import (  # noqa: F401  (they register themselves)
    mutants_callers,
    mutants_identity,
    mutants_money,
    mutants_sqlite,
)
from tests.simulation.mutant import MUTANTS, Mutant

__all__ = ["MUTANTS", "Mutant"]
