"""What the parts of the conformance suite share: the ledger's maker, and the verbs that a ledger may lack."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Generator
from contextlib import contextmanager
from inspect import isawaitable
from typing import Any, ClassVar, Final

from ..ledger.commands import AsyncLedger, Ledger
from .clock import Clock
from .conformance_bench import Bench

Made = Ledger | AsyncLedger | Awaitable[Ledger | AsyncLedger]
_Test = Callable[[Any], None]

OPTIONAL: Final = frozenset(
    {"audit", "close", "compact", "crowds", "entries", "freeze", "lapse", "open", "overrides", "raise", "resolve"}
)
"""What a ledger may lack: verbs; leases with ``on_expiry="release"`` (*lapse*); holds with a crowd (*crowds*)."""

_NEEDS: Final[dict[str, tuple[frozenset[str], _Test]]] = {}


def needs(*optional: str) -> Callable[[_Test], _Test]:
    """A test of what a ledger may lack: a suite has it only where ``supports`` names all of it."""

    def mark(test: _Test) -> _Test:
        _NEEDS[test.__name__] = frozenset(optional), test
        return test

    return mark


class Suite:
    """One ledger and what it supports. A test opens it with :meth:`opened`."""

    supports: ClassVar[Collection[str]] = frozenset()
    """Which of ``OPTIONAL`` the ledger has. Without the others it conforms too: their tests are not there."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        supported = set(cls.supports)
        if unknown := sorted(supported - OPTIONAL):
            raise ValueError(f"{cls.__name__}.supports must be some of {sorted(OPTIONAL)}, not {unknown}")
        for name, (optional, test) in _NEEDS.items():
            if name in cls.__dict__:
                continue
            if not optional <= supported:
                setattr(cls, name, None)  # neither pytest nor unittest takes it for a test
            elif getattr(cls, name, test) is None:
                setattr(cls, name, test)

    def make_ledger(self, clock: Clock) -> Made:
        """A new, empty ledger, sync or async; or what is awaited for one. A suite must have it.

        Args:
            clock: nanoseconds since 1970, by which the ledger must go. The suite moves it, by years at once and
                backwards too: a ledger that does not believe in leaps must believe in this clock's.
        """
        raise NotImplementedError(f"{type(self).__name__} must have make_ledger(self, clock), which makes a new ledger")

    def close_ledger(self, ledger: Any) -> Awaitable[None] | None:
        """Let go of a ledger when its test is over: a connection, a file. Nothing, unless it is overridden."""

    @contextmanager
    def opened(self) -> Generator[Bench, None, None]:
        """A new ledger for as long as the block runs. If the block ends well, it ends with an audit."""
        with asyncio.Runner() as runner:
            clock = Clock()
            ledger = _finished(self.make_ledger(clock), runner)
            try:
                bench = Bench(ledger, clock, runner)
                yield bench
                bench.audit()
            finally:
                _finished(self.close_ledger(ledger), runner)


def _finished(made: Any, runner: asyncio.Runner) -> Any:
    return runner.run(_await(made)) if isawaitable(made) else made


async def _await(made: Awaitable[Any]) -> Any:
    return await made
