"""All mutants, by name."""

from __future__ import annotations

from tests.simulation import mutants_callers, mutants_identity, mutants_money  # noqa: F401  (they register themselves)
from tests.simulation.mutant import MUTANTS, Mutant

__all__ = ["MUTANTS", "Mutant"]
