"""``python -m tests.simulation --seeds 500 --mode faults``: many runs; ``--seed 7``: that one, in full."""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation.generator import MODES, generate
from tests.simulation.seams import Cells, installed
from tests.simulation.world import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds (default: 200)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default: 0)")
    parser.add_argument("--mode", choices=MODES, help="one mode (default: all)")
    parser.add_argument("--seed", type=int, help="one seed, in full")
    asked = parser.parse_args()
    cells: Cells = Cells()
    seeds = range(asked.first, asked.first + asked.seeds) if asked.seed is None else [asked.seed]
    with installed(cells):
        for mode in [asked.mode] if asked.mode else MODES:
            began = time.perf_counter()
            bad = 0
            grants = 0
            for seed in seeds:
                outcome = run(generate(seed, mode))
                grants += outcome.grants
                if outcome.violation is not None:
                    bad += 1
                    if bad <= 3:
                        print(f"--mode {mode} --seed {seed}\n{outcome.violation}")
            took = time.perf_counter() - began
            print(f"{mode}: {bad} of {len(seeds)} broke a law; {grants} grants; {1000*took/len(seeds):.1f} ms each")
    for cell, count in sorted(cells.items()):
        print(count, cell)
    return 0


if __name__ == "__main__":
    sys.exit(main())
