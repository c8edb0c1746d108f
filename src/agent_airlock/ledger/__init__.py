"""Where reservations and spend are kept.

``accounts`` and ``commands`` are the words, ``rules`` what they mean, ``memory`` a place to keep them;
``flow`` is how a caller speaks to one, sync or async.
"""

from __future__ import annotations

import os
import threading

from .memory import MemoryLedger

_lock = threading.Lock()
_default: MemoryLedger | None = None


def default_ledger() -> MemoryLedger:
    """The process's memory: the ledger of every gate that was given none, so that they share their budgets."""
    global _default  # noqa: PLW0603
    with _lock:
        if _default is None:
            _default = MemoryLedger()
        return _default


def open_ledger(url: str) -> MemoryLedger:
    """The ledger of a URL: ``memory:``.

    Raises:
        ValueError: no ledger of this kind is known.
    """
    if url == "memory:":
        return MemoryLedger()
    raise ValueError(f"a ledger's URL must be 'memory:', not {url[:80]!r}")


def _after_fork() -> None:
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()  # another thread, which the child does not have, may have held it


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork)
