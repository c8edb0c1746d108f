"""The ``airlock`` command: what an operator asks of a policy, its budgets and the prices.

One file a group of commands; ``app`` wires them. A command asks a pure function for an ``Answer`` (``answers``), and
``terminal`` is the only module that prints one, or knows the libraries of the extra ``cli``.
"""

from __future__ import annotations

import sys
from typing import Final

INSTALL: Final = "pip install 'agent-airlock-ledger[cli]'"
_EXTRA: Final = ("typer", "rich", "tomli_w")


def main() -> None:
    """The script. Without its extra it says what to install, and ends with 2."""
    try:
        from .app import run

        run()
    except ImportError as missing:
        if missing.name is None or missing.name.partition(".")[0] not in _EXTRA:
            raise
        sys.stderr.write(f"{INSTALL}\n")
        sys.exit(2)
