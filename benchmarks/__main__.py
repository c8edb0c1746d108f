"""``python -m benchmarks``: every figure, beside its aim. Ratios are medians of interleaved rounds in one run."""

from __future__ import annotations

import platform
import sys

from . import gate_cost, import_cost, ledger_cost
from .timing import HEADER


def main() -> int:
    print(f"Python {platform.python_version()}, {platform.machine()}; CPU time\n\n{HEADER}")
    over = 0
    for module in (import_cost, gate_cost, ledger_cost):
        for figure in module.figures():
            print(figure.row(), flush=True)
            over += figure.ratio > figure.aim
    print(f"\n{over} over their aim" if over else "\nall within their aims")
    return 0


if __name__ == "__main__":
    sys.exit(main())
