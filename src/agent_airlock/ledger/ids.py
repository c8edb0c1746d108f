"""Ids of reservations: made by the caller before anything is sent, ordered by time.

An id is a ULID (26 characters of Crockford's base 32): 48 bits of milliseconds, then 20 bits that count
within the process, then 60 random bits of the process, so that ids of one process only rise and those
of two never meet.
"""

from __future__ import annotations

import os
import threading
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS: Final = tuple(a + b for a in _ALPHABET for b in _ALPHABET)
_COUNT_LIMIT: Final = 1 << 20
_LENGTH: Final = 26


def _encode(number: int, pairs: int) -> str:
    return "".join(_PAIRS[number >> 10 * place & 1023] for place in reversed(range(pairs)))


def first_of(now_ms: int) -> str:
    """What every id of this millisecond or a later one is above, and every earlier one below."""
    return _encode(now_ms, 5)


def is_ahead(id: str, now_ms: int) -> bool:
    """Whether an id was made for a time after ``now_ms``. One that is not of the form of ids has no time."""
    return len(id) == _LENGTH and id >= first_of(now_ms + 1)


class IdMaker:
    """Makes the ids of one process. Thread-safe. ``nonce`` tells this caller from every other."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Start anew with other random bits: at the start, and in a forked child."""
        self._lock = threading.Lock()
        self._tail = _encode(int.from_bytes(os.urandom(8)) >> 4, 6)
        self._millisecond = -1
        self._prefix = ""
        self._count = 0
        self.nonce = os.urandom(8).hex()

    def make(self, now_ms: int) -> str:
        """The next id: not older than ``now_ms`` (the ledger's time) and above every earlier one."""
        with self._lock:
            if now_ms > self._millisecond:
                self._start(now_ms)
            elif self._count == _COUNT_LIMIT:
                self._start(self._millisecond + 1)
            count = self._count
            self._count = count + 1
            return self._prefix + _PAIRS[count >> 10] + _PAIRS[count & 1023] + self._tail

    def _start(self, millisecond: int) -> None:
        self._millisecond = millisecond
        self._prefix = _encode(millisecond, 5)
        self._count = 0


IDS: Final = IdMaker()
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=IDS.renew)
