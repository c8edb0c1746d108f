"""The book of a tracker that caps nothing: it writes down what calls cost, and sums that when somebody asks."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import ClassVar, Final, Literal, NamedTuple, cast

from .exceptions import LedgerUnavailable
from .ledger import finalisers
from .ledger.accounts import Labels, Unit
from .ledger.commands import A, Charge, Command, FoldKey, Settled, Stamp
from .ledger.rows import no_amount

KEPT: Final = 100_000
"""Lines that are kept, at least; what is older is kept as sums."""
MAX_LABELS: Final = 10_000
"""Different (tool, model, tier) whose old sums are kept apart; those beyond share one."""
_OVERFLOW: Final[FoldKey] = ("+", None, None)
_PAGES: Final = 100

Line = tuple[str, Labels, int | None, int, int]
"""Id, labels, nanodollars (None: not known), tokens, and when: milliseconds since 1970."""
Sum = tuple[int, int, int]
"""Nanodollars, tokens, calls."""

_NOTHING: Final[Sum] = (0, 0, 0)
_USD: Final = Unit.USD  # an attribute of an Enum class costs 70 ns before Python 3.12
_TOKENS: Final = Unit.TOKENS
_waiting = finalisers.waiting


class _Page(NamedTuple):
    """Lines that are full, and what they add up to."""

    lines: tuple[Line, ...]
    sums: Mapping[FoldKey, Sum]


class _Pages(NamedTuple):
    """All that was written: one value, so that no interrupt leaves half a change.

    ``old`` are the sums of what is no longer in ``full``; ``open`` is where the next line goes.
    """

    old: Mapping[FoldKey, Sum]
    full: tuple[_Page, ...]
    open: list[Line]


class Journal:
    """A book that takes charges, and holds nothing. Thread-safe, exact, bounded, gone with the process.

    Where nothing is capped, no charge has to know what is spent: it is one line, and sums are made of a page of lines
    at once, or when somebody asks. A ``MemoryLedger`` takes six times as long to count one on a tracker's three
    accounts. Unlike a ledger it does not know an id again: each charge has an id of its own.

    Args:
        clock: nanoseconds since 1970. The journal's time never runs back, whatever this does.
        kept: how many lines it keeps, at least; up to a hundredth of that more.
    """

    is_async: ClassVar[Literal[False]] = False

    def __init__(self, *, clock: Callable[[], int] = time.time_ns, kept: int = KEPT) -> None:
        self._clock = clock
        self._page_size = -(-kept // _PAGES)
        self._most_full = -(-kept // self._page_size)
        self._start()
        _JOURNALS.add(self)

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._seen_ms = 0
        self._pages = _Pages({}, (), [])

    def now_ms(self) -> int:
        """The highest time that its clock has shown."""
        wall = self._clock() // 1_000_000
        return wall if wall > self._seen_ms else self._seen_ms

    def apply(self, command: Command[A], /) -> A:
        """Write a ``Charge`` down. Its answer has no balances.

        Raises:
            LedgerUnavailable: any other verb.
            ValueError: an amount that is no whole number of at least 0.
        """
        if _waiting():
            finalisers.drain()
        if not isinstance(command, Charge):
            raise LedgerUnavailable(
                f"a tracker without a cap has no answer to {type(command).__name__}: it only counts"
            )
        actual = command.actual
        nano, tokens = actual.get(_USD), actual.get(_TOKENS, 0)
        if type(tokens) is not int or tokens < 0:
            raise no_amount(tokens)
        if nano is not None and (type(nano) is not int or nano < 0):
            raise no_amount(nano)
        with self._lock:
            now = self._clock() // 1_000_000
            if now > self._seen_ms:
                self._seen_ms = now
            else:
                now = self._seen_ms
            lines = self._pages.open
            lines.append((command.id, command.labels, nano, tokens, now))
            if len(lines) >= self._page_size:
                self._turn()
        return cast("A", Settled("charged", False, (), (), Stamp("journal", 0, 0, now)))

    def _turn(self) -> None:
        """Close the open page. Of too many, the oldest becomes sums."""
        old, full, lines = self._pages
        full = (*full, _Page(tuple(lines), _sums(lines)))
        if len(full) > self._most_full:
            old = _merged((old, full[0].sums), MAX_LABELS)
            full = full[1:]
        self._pages = _Pages(old, full, [])

    def sums(self) -> Mapping[FoldKey, Sum]:
        """What was charged since the journal began, by (tool, model, tier)."""
        with self._lock:
            old, full, lines = self._pages
            lines = lines.copy()
        return _merged((old, *(page.sums for page in full), _sums(lines)))

    def newest(self, limit: int) -> list[Line]:
        """The newest lines, at most ``limit``, oldest first."""
        with self._lock:
            _, full, lines = self._pages
            lines = lines.copy()
        parts: list[Sequence[Line]] = [lines]
        found = len(lines)
        for page in reversed(full):
            if found >= limit:
                break
            parts.append(page.lines)
            found += len(page.lines)
        return list(chain.from_iterable(reversed(parts)))[-limit:]


def _sums(lines: Iterable[Line]) -> dict[FoldKey, Sum]:
    sums: dict[FoldKey, Sum] = {}
    for _, labels, nano, tokens, _ in lines:
        key = (labels.tool, labels.model, labels.tier)
        spent, used, calls = sums.get(key, _NOTHING)
        sums[key] = (spent + (nano or 0), used + tokens, calls + 1)
    return sums


def _merged(parts: Iterable[Mapping[FoldKey, Sum]], most: float = float("inf")) -> dict[FoldKey, Sum]:
    merged: dict[FoldKey, Sum] = {}
    for key, (nano, tokens, calls) in chain.from_iterable(part.items() for part in parts):
        place = key if key in merged or len(merged) < most else _OVERFLOW
        spent, used, before = merged.get(place, _NOTHING)
        merged[place] = (spent + nano, used + tokens, before + calls)
    return merged


_JOURNALS: Final[weakref.WeakSet[Journal]] = weakref.WeakSet()


def _after_fork() -> None:
    """In a forked child: begin anew, as a ``MemoryLedger`` does, with a lock that nobody holds."""
    for journal in list(_JOURNALS):
        journal._start()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork)
