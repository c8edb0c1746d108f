"""``python -m tests.simulation --seeds 500 --mode faults``: many runs; ``--seed 7``: that one, in full.

A seed that fails is made as small as it can be.

``--mutant "a forgotten id is new"`` switches a safeguard off; the runs that notice are those that fail.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation.batch import Batch
from tests.simulation.generator import KINDS_OF_LEDGER, MODES, generate
from tests.simulation.mutants import MUTANTS
from tests.simulation.report import failure, scenario
from tests.simulation.seams import installed
from tests.simulation.shrink import shrunk
from tests.simulation.world import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds (default: 200)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default: 0)")
    parser.add_argument("--mode", choices=MODES, help="one mode (default: all)")
    parser.add_argument("--ledger", choices=KINDS_OF_LEDGER, default="memory")
    parser.add_argument("--seed", type=int, help="one seed, in full: its options, and what reached the ledger")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), metavar="NAME", help="with this safeguard switched off")
    asked = parser.parse_args()
    modes = [asked.mode] if asked.mode else MODES
    mutant = MUTANTS[asked.mutant] if asked.mutant else None
    batch = Batch(mutant)
    if asked.seed is not None:
        for mode in modes:
            with installed(batch.cells, mutant and mutant.off):
                outcome = run(generate(asked.seed, mode, mutant.focus if mutant else (), asked.ledger))
                if outcome.violation is not None:
                    outcome = shrunk(outcome, run)
            print(f"{failure(outcome)}\n\n{scenario(outcome)}")
        return 0
    for mode in modes:
        began, failed = time.process_time(), len(batch.failures)
        batch.run(range(asked.first, asked.first + asked.seeds), mode, asked.ledger)
        spent = (time.process_time() - began) * 1_000 / asked.seeds
        print(f"{mode}: {len(batch.failures) - failed} of {asked.seeds} broke a law, {spent:.1f} ms each")
    print(batch.table())
    for outcome in batch.failures[:3]:
        print(f"\n{failure(outcome)}")
    return bool(batch.failures)


if __name__ == "__main__":
    sys.exit(main())
