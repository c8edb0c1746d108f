"""What operators do while calls run: they resolve, raise, freeze and close, accept a clock, and look."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from agent_airlock.ledger.accounts import Account, Hold, Period, Unit
from agent_airlock.ledger.commands import Balances, Charge, Check, Entries
from agent_airlock.ledger.operations import (
    NOTHING,
    Audit,
    Clock,
    Close,
    Compact,
    Freeze,
    ListOverrides,
    Open,
    Raise,
    Resolve,
)
from agent_airlock.money import MAX_AMOUNT
from tests.simulation.laws import Law, Violation
from tests.simulation.process import Script
from tests.simulation.raw_callers import LABELS, Caller

if TYPE_CHECKING:
    from tests.simulation.standing import Row

WHY: Final = "an operator says so"
LOOKS: Final[tuple[Callable[[], Any], ...]] = (Balances, Check, Entries, Open, Audit, ListOverrides, Compact)


def resolver(caller: Caller) -> Script:
    """Says what calls cost that nobody has settled, and says it again; of some that have ended too."""
    rng = caller.rng
    for _ in range(4):
        yield rng.randint(0, 1_500)
        known = list(caller.world.server.witness.rows.items())
        if not known:
            continue
        id, row = rng.choice(known[-6:])
        yield from caller.ask(Resolve(id, _amounts(caller, row), WHY))
    yield from caller.ask(Resolve("0" * 26, NOTHING, WHY))
    yield from caller.ask(Resolve(caller.process.ids.make(caller.process.line.now_ms()), NOTHING, WHY))


def _amounts(caller: Caller, row: Row) -> dict[Unit, int]:
    return {hold.account.unit: caller.rng.choice((0, hold.amount, hold.amount + 1)) for hold in row.holds}


def overseer(caller: Caller) -> Script:
    """Raises a limit for a while, and asks for money there; or freezes a line and lets it go on."""
    rng, line = caller.rng, caller.process.line
    name = rng.choice(caller.world.some_holds(rng, line.now_ms())).account.line
    if rng.random() < 0.7:
        until = rng.choice((None, line.now_ms() + rng.choice((1, 100, 2_000))))
        yield from caller.ask(Raise(name, rng.choice((1, 5, caller.world.options.limit)), until, WHY))
        for _ in range(3):
            yield rng.choice((0, 1, 100, 500))
            yield from caller.call(caller.reserve())
        yield from caller.ask(Raise(name, 0, None, WHY))
    else:
        yield from caller.ask(Freeze(name, WHY))
        yield rng.randint(0, 1_000)
        yield from caller.ask(Freeze(name, WHY, frozen=False))


def closer(caller: Caller) -> Script:
    """Ends a session's account; calls that are open there end as they do. Later ones meet it."""
    command = caller.reserve(holds=(_session(caller, caller.rng.choice("xy")),))
    held = yield from caller.holds(command)
    yield from caller.ask(Close(command.holds[0].account))
    if held:
        yield from caller.run_and_settle(command)
    yield from caller.call(caller.reserve(holds=command.holds))


def _session(caller: Caller, name: str) -> Hold:
    return Hold(Account(f"session:{name}", "total", Unit.USD), caller.rng.randint(0, 2), caller.world.options.limit)


def clockmaker(caller: Caller) -> Script:
    """Looks at the clock, and now and then says that it is right."""
    for _ in range(3):
        yield caller.rng.randint(0, 2_000)
        yield from caller.ask(Clock())
        if caller.rng.random() < 0.5:
            yield from caller.ask(Clock("accept", why=WHY))


def onlooker(caller: Caller) -> Script:
    """Looks at everything; what it sees must be right at any moment."""
    for _ in range(4):
        yield caller.rng.randint(0, 1_000)
        look = caller.rng.choice(LOOKS)()
        answer = yield from caller.ask(look)
        if isinstance(look, Check) and answer is not None and answer.problems:
            raise Violation(Law.TOTALS, "; ".join(answer.problems))


def traveller(caller: Caller) -> Script:
    """Counts days from another hour than others do: a machine with other zone data."""
    rng, line = caller.rng, caller.process.line
    hour = 3_600_000
    for _ in range(3):
        shift = rng.choice((0, hour, -hour))
        day = (line.now_ms() - shift) // (24 * hour) * (24 * hour) + shift
        hold = Hold(Account("workspace:w", "day", Unit.USD, Period(day, day + 24 * hour)), rng.randint(0, 3), 20)
        yield from caller.call(caller.reserve(holds=(hold,)))
        yield rng.choice((0, 400, 1_500))


def giant(caller: Caller) -> Script:
    """Charges more than an account can count; nobody is let in there after that."""
    account = Account("tool:giant", "total", Unit.USD)
    for _ in range(2):
        id = caller.process.ids.make(caller.process.line.now_ms())
        amount = MAX_AMOUNT - caller.rng.randint(0, 1)
        yield from caller.ask(Charge(id, (Hold(account, 0, None),), {Unit.USD: amount}, LABELS))
    yield from caller.call(caller.reserve(holds=(Hold(account, 0, MAX_AMOUNT),)))


OPERATORS: Final[Mapping[str, Callable[[Caller], Script]]] = {
    script.__name__: script for script in (resolver, overseer, closer, clockmaker, onlooker, traveller, giant)
}
