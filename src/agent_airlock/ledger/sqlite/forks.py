"""Forks: no child may have a connection of its parent.

POSIX locks are not inherited, yet SQLite keeps its count of them for the whole process by device and inode: a child
that inherits an open connection, or opens another beside it, believes that it has locks which it does not. So each
connection is closed before a fork, between two transactions, and both sides open one again when they need it.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .ledger import SqliteLedger

_LEDGERS: Final[weakref.WeakSet[SqliteLedger]] = weakref.WeakSet()
_forking: Final[list[tuple[SqliteLedger, bool]]] = []
"""While a fork is under way: each ledger, and whether its connection is closed."""

watch = _LEDGERS.add


def _before() -> None:
    _forking.clear()
    _forking.extend([(ledger, ledger._before_fork()) for ledger in list(_LEDGERS)])


def _in_parent() -> None:
    for ledger, closed in _forking:
        if closed:
            ledger._after_fork_in_parent()
    _forking.clear()


def _in_child() -> None:
    for ledger, closed in _forking:
        ledger._after_fork_in_child(closed)
    _forking.clear()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
