"""Where reservations and spend are kept.

``accounts`` and ``commands`` are the words, ``rules`` what they mean, ``memory`` and ``sqlite`` places to keep them;
``flow`` is how a caller speaks to one, sync or async.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final

from ..exceptions import LedgerUnavailable
from ..values import shown
from .memory import MemoryLedger

if TYPE_CHECKING:
    from .sqlite import SqliteLedger

VARIABLE: Final = "AIRLOCK_LEDGER"
"""The environment variable with the URL of the ledger."""
_KINDS: Final = "'sqlite:///budgets.db', 'sqlite:////var/lib/budgets.db' (from the root) or 'memory:'"

_lock = threading.Lock()
_defaults: Final[dict[str, MemoryLedger | SqliteLedger]] = {}


def default_ledger() -> MemoryLedger | SqliteLedger:
    """The ledger of every gate that was given none, so that they share their budgets.

    That which ``AIRLOCK_LEDGER`` names, opened once in a process; else the process's memory.

    Raises:
        ValueError, LedgerUnavailable, LedgerCorrupt: as :func:`open_ledger`; a process that cannot open the ledger that
            is named makes no gate.
    """
    url = os.environ.get(VARIABLE) or "memory:"
    with _lock:
        ledger = _defaults.get(url)
        if ledger is None:
            ledger = _defaults[url] = open_ledger(url)
        return ledger


def open_ledger(url: str | None = None) -> MemoryLedger | SqliteLedger:
    """The ledger at a URL; without one, at that of the environment variable ``AIRLOCK_LEDGER``.

    ``sqlite:///budgets.db`` is a file in the working folder, ``sqlite:////var/lib/budgets.db`` one with its whole path;
    a file that is not there is made. ``memory:`` is a new ledger in this process's memory, gone with it.

    Raises:
        ValueError: the URL names no kind of ledger that there is, or no file.
        LedgerUnavailable: there is no URL, or the ledger cannot be opened.
        LedgerCorrupt: the file is damaged, or no ledger.
    """
    if url is None:
        url = os.environ.get(VARIABLE)
        if not url:
            raise LedgerUnavailable(f"no ledger is named: give open_ledger a URL, or set {VARIABLE} to one: {_KINDS}")
    if url == "memory:":
        return MemoryLedger()
    scheme, slashes, path = url.partition(":///")
    if scheme != "sqlite" or not slashes:
        raise ValueError(f"a ledger's URL must be {_KINDS}, not {shown(url)}")
    if not path:
        raise ValueError(f"{shown(url)} names no file: 'sqlite:///budgets.db'")
    from .sqlite import SqliteLedger

    return SqliteLedger(path)


def _after_fork() -> None:
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()  # another thread, which the child does not have, may have held it


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork)
