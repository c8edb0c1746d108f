"""Callers that speak to the ledger themselves: careful ones, confused ones, and one that is slow to learn.

Each knows only what a caller knows. Only the answer *held* lets one run, but for who goes ahead without.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from agent_airlock.exceptions import LedgerUnavailable
from agent_airlock.ledger.accounts import Account, Amounts, Crowd, Hold, Labels, Unit
from agent_airlock.ledger.commands import (
    AnyCommand,
    Charge,
    Forgotten,
    Release,
    Reserve,
    Reserved,
    Settle,
    State,
)
from tests.simulation.network import NOTHING_STANDS
from tests.simulation.process import Process, Script
from tests.simulation.provider import Request

if TYPE_CHECKING:
    from tests.simulation.world import World

LABELS: Final = Labels("tool")
TRIES: Final = 3


class Caller:
    """One of them: what it needs to ask, to run, and to tell."""

    def __init__(self, world: World, process: Process, rng: random.Random) -> None:
        self.world = world
        self.process = process
        self.rng = rng

    def ask(self, command: AnyCommand, *, closes: bool = True) -> Script:
        """The identical message again where no answer came; None where none ever did, and the id is closed."""
        for sent in range(TRIES):
            try:
                answer = yield self.process.line, command
            except LedgerUnavailable:
                continue
            if sent and isinstance(command, Reserve) and isinstance(answer, NOTHING_STANDS):
                self._close(command)  # an earlier copy may still land
            return answer
        if closes and isinstance(command, Reserve):
            self._close(command)
        return None

    def _close(self, command: Reserve) -> None:
        self.process.post(self.process.line, Release(command.id, command.nonce), self.rng)

    def settle(self, command: Reserve, bill: Amounts, verb: type[Settle | Charge] = Settle) -> Script:
        """Tell what it cost; where the id is forgotten, once more under a new one."""
        answer = yield from self.ask(verb(command.id, command.holds, bill, LABELS))
        if isinstance(answer, Forgotten):
            id = self.process.ids.make(self.process.line.now_ms())
            self.world.provider.renamed[command.id].append(id)
            yield from self.ask(Charge(id, command.holds, bill, LABELS))

    def reserve(self, id: str | None = None, holds: tuple[Hold, ...] | None = None, *, shared: bool = True) -> Reserve:
        """A reserve of money that is there, or is just not. ``shared``: others may use its id too."""
        line, world, rng = self.process.line, self.world, self.rng
        if holds is None:
            holds = world.some_holds(rng, line.now_ms())
        made = id or self.process.ids.make(line.now_ms())
        command = world.reserve(made, self.process.nonce, holds, rng)
        if shared:
            world.share(self.process, made, command)
        return command

    def bill(self, holds: tuple[Hold, ...], *, above: bool = True) -> Amounts:
        """What the provider will bill, by unit: mostly within the holds."""
        rng = self.rng
        most = {hold.account.unit: hold.amount for hold in holds}
        more = rng.randint(1, 3) if above and rng.random() < 0.1 else 0
        if Unit.CALLS in most:
            most[Unit.CALLS] = min(1, most[Unit.CALLS])
        return {unit: amount + more if more else rng.randint(0, amount) for unit, amount in most.items()}

    def run(self, command: Reserve, bill: Amounts, **fields: Any) -> Script:
        """Make the call; None where its reply was cut off."""
        takes_ms = self.world.call_takes(self.rng)
        places = ((self.world.server, command.id, command.holds),)
        bills_ms = self.rng.randint(0, takes_ms)
        yield Request(self.process, places, bill, None, takes_ms, bills_ms, **fields)

    def run_and_settle(self, command: Reserve, **fields: Any) -> Script:
        bill = self.bill(command.holds)
        yield from self.run(command, bill, **fields)
        yield from self.settle(command, bill)
        return bill

    def holds(self, command: Reserve) -> Script:
        """Whether it is held. What is called something else may not run, and is given back."""
        answer = yield from self.ask(command)
        if _is_held(answer):
            return True
        if isinstance(answer, Reserved):
            yield from self.ask(Release(command.id, command.nonce))
        return False

    def call(self, command: Reserve) -> Script:
        """Reserve, run and settle."""
        if (yield from self.holds(command)):
            yield from self.run_and_settle(command)


def _is_held(answer: object) -> bool:
    return isinstance(answer, Reserved) and answer.state is State.HELD


def careful(caller: Caller) -> Script:
    """Reserves, runs, settles; releases what it may not run."""
    yield from caller.call(caller.reserve())


def hesitant(caller: Caller) -> Script:
    """Reserves, waits for longer than its lease perhaps, asks again, and runs only if it still holds."""
    command = caller.reserve()
    answer = yield from caller.ask(command)
    yield max(0, command.lease_ms * caller.rng.randint(0, 1) + caller.rng.randint(-1, 1))
    if _is_held(answer):
        answer = yield from caller.ask(command)
    if _is_held(answer):
        yield from caller.run_and_settle(command)
    elif answer is not None:
        yield from caller.ask(Release(command.id, command.nonce))


def twin(caller: Caller) -> Script:
    """Uses an id that another caller has made: a cloned machine."""
    other = caller.world.of_another(caller.process, caller.rng)
    if other is None:
        return
    id, theirs = other
    command = caller.reserve(id, shared=False)
    if theirs is not None and caller.rng.random() < 0.7:
        command = replace(theirs, nonce=command.nonce)
    yield from caller.call(command)


def changer(caller: Caller) -> Script:
    """Holds, then asks for other things under the same id; runs what it was last told that it holds."""
    first = caller.reserve()
    if not (yield from caller.holds(first)):
        return
    second = caller.reserve(first.id)
    answer = yield from caller.ask(second, closes=False)
    yield from caller.run_and_settle(second if _is_held(answer) else first)


def resettler(caller: Caller) -> Script:
    """Settles twice; of two different amounts it believes the one that was acknowledged."""
    command = caller.reserve()
    if not (yield from caller.holds(command)):
        return
    bill = yield from caller.run_and_settle(command)
    yield caller.rng.randint(0, 300)
    other = {unit: amount + caller.rng.randint(0, 1) for unit, amount in bill.items()}
    yield from caller.ask(Settle(command.id, command.holds, other, LABELS))
    yield from caller.ask(Release(command.id, command.nonce))
    yield from caller.ask(command)


def late_learner(caller: Caller) -> Script:
    """Believes that nothing ran, releases, and then gets the bill."""
    command = caller.reserve()
    if not (yield from caller.holds(command)):
        return
    bill = caller.bill(command.holds)
    yield from caller.run(command, bill, disowned=True)
    yield from caller.ask(Release(command.id, command.nonce))
    yield caller.rng.choice((0, 1, 100, 3_000))
    if caller.rng.random() < 0.3:
        yield from caller.ask(command, closes=False)  # a copy of its reserve, long after
    yield from caller.settle(command, bill)
    yield from caller.ask(command)


def reckless(caller: Caller) -> Script:
    """Goes ahead without an answer, and settles what no ledger knows; then an old copy of its reserve arrives."""
    command = caller.reserve(shared=False)
    if caller.rng.random() < 0.3:
        yield from caller.ask(Release(command.id, command.nonce))
    yield from caller.run_and_settle(command, allowed=False)
    caller.world.share(caller.process, command.id, command)
    yield from caller.ask(command)


def charger(caller: Caller) -> Script:
    """Books what was never held, twice perhaps."""
    command = caller.reserve(shared=False)
    bill = caller.bill(command.holds)
    yield from caller.run(command, bill, allowed=False)
    yield from caller.settle(command, bill, Charge)
    if caller.rng.random() < 0.5:
        yield from caller.ask(Charge(command.id, command.holds, bill, LABELS))
    if caller.rng.random() < 0.5:
        yield from caller.ask(Release(command.id, command.nonce))


def meddler(caller: Caller) -> Script:
    """Releases what is another's."""
    for _ in range(3):
        other = caller.world.of_another(caller.process, caller.rng)
        if other is not None:
            yield from caller.ask(Release(other[0], "meddler"))
        yield caller.rng.randint(0, 500)


def newcomer(caller: Caller) -> Script:
    """One of many that a wildcard would open an account for; those beyond share one."""
    rng, limit = caller.rng, caller.world.options.limit
    crowd = Crowd(Account("user:+", "total", Unit.USD), 3)
    for _ in range(3):
        account = Account(f"user:{rng.randint(0, 5)}", "total", Unit.USD)
        hold = Hold(account, rng.choice((1, limit // 2, limit)), limit, crowd)
        if rng.random() < 0.2:
            id = caller.process.ids.make(caller.process.line.now_ms())
            yield from caller.ask(Charge(id, (hold,), {Unit.USD: 1}, LABELS))
            continue
        yield from caller.call(caller.reserve(holds=(hold,)))


def quitter(caller: Caller) -> Script:
    """Holds, thinks better of it, and releases more than once: before its lease ends, or after."""
    command = caller.reserve()
    answer = yield from caller.ask(command)
    if answer is None:
        return
    yield max(0, command.lease_ms * caller.rng.randint(0, 1) + caller.rng.randint(-1, 1))
    for _ in range(2):
        yield from caller.ask(Release(command.id, command.nonce))
    yield from caller.ask(command)


def echo(caller: Caller) -> Script:
    """Sends messages of the past again, as a broken proxy does."""
    for _ in range(4):
        yield caller.rng.randint(0, 2_000)
        sent = caller.world.server.trace
        if sent:
            command = caller.rng.choice(sent).command
            known = caller.world.server.witness.rows
            if isinstance(command, Reserve | Settle | Charge | Release) and command.id in known:
                with contextlib.suppress(LedgerUnavailable):
                    yield caller.process.line, command


RAW: Final[Mapping[str, Callable[[Caller], Script]]] = {
    script.__name__: script
    for script in (
        careful,
        hesitant,
        twin,
        changer,
        resettler,
        late_learner,
        reckless,
        charger,
        meddler,
        newcomer,
        quitter,
        echo,
    )
}
