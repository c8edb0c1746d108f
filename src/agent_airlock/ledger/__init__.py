"""Where reservations and spend are kept.

``accounts`` and ``commands`` are the words, ``rules`` what they mean, ``memory`` a place to keep them;
``flow`` is how a caller speaks to one, sync or async.
"""

from __future__ import annotations

import threading
from typing import Final

from .memory import MemoryLedger

_lock: Final = threading.Lock()
_default: MemoryLedger | None = None


def default_ledger() -> MemoryLedger:
    """The process's memory: the ledger of every gate that was given none, so that they share their budgets."""
    global _default  # noqa: PLW0603
    with _lock:
        if _default is None:
            _default = MemoryLedger()
        return _default
