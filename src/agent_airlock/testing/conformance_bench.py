"""A ledger under the conformance suite: its clock, and one way to speak to sync and async ones."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, Final, NoReturn, TypeVar

from ..exceptions import LedgerWentBack
from ..ledger.accounts import Account, Balance, Hold
from ..ledger.commands import A, AnyCommand, Balances, Book, Check, Command, Stamp
from ..ledger.flow import Flow, adrive, ask, drive
from ..ledger.ids import IdMaker
from ..ledger.operations import Compact
from ..ledger.stamps import Watch
from .clock import Clock
from .conformance_words import say, spell, stands, wrote

R = TypeVar("R")

CALLERS: Final = 32
"""How many race."""
_HANGS_SECONDS: Final = 60.0
_AGES: Final = timedelta(days=1_000)
"""Longer than any lease of the suite, and than ledgers remember what ended."""


def fail(text: str) -> NoReturn:
    """What the suite says of a ledger that does not conform."""
    raise AssertionError(text)


class Bench:
    """One ledger for one test. Commands name their ids in words (``r1``); each word gets an id as gates make them."""

    def __init__(self, ledger: Book, clock: Clock, runner: asyncio.Runner) -> None:
        self.ledger = ledger
        self.clock = clock
        self._runner = runner
        self._ids = IdMaker()
        self._id_of: dict[str, str] = {}
        self._watch = Watch()

    # --- speaking ----------------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """The clock's time, in milliseconds since 1970."""
        return self.clock() // 1_000_000

    def id(self, word: str) -> str:
        """The id that stands for a word: made when the word is first used, and ordered by time."""
        if word not in self._id_of:
            self._id_of[word] = self._ids.make(self.now_ms())
        return self._id_of[word]

    def named(self, command: Command[A]) -> Command[A]:
        """The command with its id in place of the word for it."""
        sent: Any = command
        if hasattr(sent, "id"):
            sent = replace(sent, id=self.id(sent.id))
        named: Command[A] = sent
        return named

    def run(self, flow: Flow[R]) -> R:
        return self._runner.run(adrive(flow)) if self.ledger.is_async else drive(flow)

    def apply(self, command: Command[A]) -> A:
        """The answer, in whose stamp the history goes on."""
        before = self._watch.newest
        answer = self.run(ask(self.ledger, self.named(command)))
        stamp = getattr(answer, "stamp", None)
        if isinstance(stamp, Stamp):
            try:
                self._watch.see(stamp, before)
            except LedgerWentBack as error:
                raise AssertionError(f"{spell(command)}: {error}") from None
            if before is not None and stamp.now_ms < before.now_ms:
                fail(f"{spell(command)}: the ledger's time went back by {before.now_ms - stamp.now_ms} ms")
        return answer

    def says_at_once(self, command: AnyCommand, expected: str) -> Any:
        """The answer, which must be this one. Nothing was looked at before, which would have ended leases."""
        answer = self.apply(command)
        if say(answer) != expected:
            fail(f"{spell(command)}: the ledger answers {say(answer)!r}; it must be {expected!r}")
        return answer

    def says(self, command: AnyCommand, expected: str) -> Any:
        """The answer, which must be this one; one that writes nothing has written nothing."""
        before = self.balances()
        answer = self.says_at_once(command, expected)
        if not wrote(answer):
            self._unmoved(command, before)
        return answer

    def says_again(self, command: AnyCommand, expected: str) -> Any:
        """The answer to a command that was sent before: this one, and no balance has changed."""
        before = self.balances()
        answer = self.says_at_once(command, expected)
        self._unmoved(command, before)
        return answer

    def _unmoved(self, command: AnyCommand, before: dict[str, Balance]) -> None:
        after = self.balances()
        for id in before.keys() | after.keys():
            if before.get(id) != after.get(id):
                fail(
                    f"{spell(command)}: it may write nothing, and {id} was {before.get(id)!r}, and is {after.get(id)!r}"
                )

    def raises(self, command: AnyCommand) -> None:
        """A mistake of the caller: it raises, and writes nothing."""
        before = self.balances()
        try:
            answer = self.apply(command)
        except AssertionError:
            raise
        except Exception:
            self._unmoved(command, before)
            return
        fail(f"{spell(command)}: the ledger answers {say(answer)!r}; it must raise")

    # --- looking -----------------------------------------------------------------------------------------

    def balances(self, scope: str | None = None) -> dict[str, Balance]:
        """By account id."""
        return {balance.account.id: balance for balance in self.apply(Balances(scope))}

    def balance(self, where: Account) -> Balance:
        """An account's balance; that of one that nothing was booked on is 0."""
        return self.balances(where.scope).get(where.id) or Balance(where)

    def stands(self, where: Account | Hold, expected: str) -> None:
        """What is not 0 on the account: ``settled 3 held 5``."""
        where = where.account if isinstance(where, Hold) else where
        found = stands(self.balance(where))
        if found != expected:
            fail(f"account {where.id}: {found} stands there; it must be {expected}")

    def stamp(self) -> Stamp:
        return self.apply(Balances("nobody")).stamp

    def check(self, when: str) -> None:
        """Totals are the sum of the rows."""
        problems = self.apply(Check()).problems
        if problems:
            fail(f"{when}, Check says: " + "; ".join(problems))

    def audit(self) -> None:
        """The end of every test: totals are the sum of the rows, and no hold outlives its lease."""
        self.check("when the test is over")
        self.clock.tick(_AGES)
        leaked = [id for id, balance in self.balances().items() if balance.held]
        if leaked:
            fail(f"held, though every lease has ended: {', '.join(leaked)}")
        self.check("when every lease has ended")

    # --- time --------------------------------------------------------------------------------------------

    def tick(self, seconds: float) -> None:
        self.clock.tick(seconds)

    def compact(self) -> None:
        """Ask the ledger to forget what it may."""
        self.apply(Compact())

    def forget(self) -> None:
        """Let so much time pass that what ended may be forgotten, and ask the ledger to."""
        self.clock.tick(_AGES)
        self.compact()

    # --- racing ------------------------------------------------------------------------------------------

    def race(self, flows: Sequence[Flow[R]]) -> list[R]:
        """What each flow returns, all of them under way at once: in threads, or, for an async ledger, in tasks."""
        if self.ledger.is_async:
            return self._runner.run(_in_tasks(flows))
        return _in_threads(flows)

    def race_to_apply(self, commands: Sequence[AnyCommand]) -> list[str]:
        """What is answered, in words, when all commands are sent at once."""
        named = [self.named(command) for command in commands]
        return [say(answer) for answer in self.race([ask(self.ledger, command) for command in named])]


async def _in_tasks(flows: Sequence[Flow[R]]) -> list[R]:
    return await asyncio.wait_for(asyncio.gather(*map(adrive, flows)), _HANGS_SECONDS)


def _in_threads(flows: Sequence[Flow[R]]) -> list[R]:
    """Threads that start at one moment, and are switched as often as Python can. An error of one is an error of all."""
    start = threading.Barrier(len(flows))
    results: dict[int, R] = {}
    errors: list[BaseException] = []

    def work(number: int, flow: Flow[R]) -> None:
        try:
            start.wait(_HANGS_SECONDS)
            results[number] = drive(flow)
        except BaseException as error:  # raised again below, where the test sees it
            errors.append(error)

    threads = [threading.Thread(target=partial(work, *pair), daemon=True) for pair in enumerate(flows)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(_HANGS_SECONDS)
    finally:
        sys.setswitchinterval(interval)
    if errors:
        raise errors[0]
    if len(results) < len(flows):
        fail(f"{len(flows) - len(results)} of {len(flows)} threads hang in the ledger")
    return [results[number] for number in range(len(flows))]
