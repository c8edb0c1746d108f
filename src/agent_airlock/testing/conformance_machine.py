"""Any order of commands, clock steps and repeats, beside the package's memory ledger, which is the oracle."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from random import Random
from typing import Any, ClassVar, Final

from ..ledger.accounts import Account, Balance, Hold, Period, Unit
from ..ledger.commands import Balances, Command, OnExpiry
from ..ledger.memory import MemoryLedger
from ..ledger.operations import Close
from .conformance_bench import Bench, fail
from .conformance_suite import Suite
from .conformance_words import (
    account,
    charge,
    freeze,
    lift,
    release,
    reserve,
    resolve,
    say,
    settle,
    spell,
    stands,
)

HOUR: Final = 3_600
_HOUR_MS: Final = HOUR * 1000
LIMITS: Final = {"a": 10, "b": 3, "hourly": 10, "calls": 4, "counted": None}
AMOUNTS: Final = (0, 1, 2, 3, 4, 9, 10, 11)
LEASES: Final = (0, 1, 60, 2 * HOUR)
STEPS: Final = (-HOUR, -0.001, 0.001, 0.999, 1, 60, HOUR - 0.001, HOUR)
NONCES: Final = ("me", "me", "me", "other")

Draw = Callable[["Generator"], Command[Any]]


class Generator:
    """Draws commands from a seed: few ids, which are used again on purpose; amounts at their limits and beside them."""

    def __init__(self, seed: int, bench: Bench, supports: Collection[str]) -> None:
        self.random = Random(seed)  # noqa: S311  (a seed gives the same commands each time)
        self._bench = bench
        self._sent: list[Command[Any]] = []
        self._supports = supports
        self._draws = [draw for needed, draw, weight in DRAWS if needed in (None, *supports) for _ in range(weight)]

    def command(self) -> Command[Any]:
        """The next one; every eighth was sent before, and may be sent much later."""
        if self._sent and self.random.random() < 1 / 8:
            return self.random.choice(self._sent)
        command = self.random.choice(self._draws)(self)
        self._sent.append(command)
        return command

    @property
    def id(self) -> str:
        return f"r{self.random.randrange(10)}"

    @property
    def nonce(self) -> str:
        return self.random.choice(NONCES)

    @property
    def on_expiry(self) -> OnExpiry:
        return "release" if "lapse" in self._supports and self.random.random() < 1 / 3 else "presume"

    def where(self, scope: str) -> Account:
        if scope == "hourly":
            start = self._bench.now_ms() // _HOUR_MS * _HOUR_MS - (self.random.random() < 1 / 8) * _HOUR_MS
            return account(scope, "hour", Period(start, start + _HOUR_MS))
        return account(scope, unit=Unit.CALLS if scope == "calls" else Unit.USD)

    def holds(self) -> tuple[Hold, ...]:
        scopes = self.random.sample(sorted(LIMITS), self.random.randint(1, 3))
        return tuple(Hold(self.where(scope), self.random.choice(AMOUNTS), self._limit(scope)) for scope in scopes)

    def _limit(self, scope: str) -> int | None:
        limit = LIMITS[scope]
        return limit if limit is None or self.random.random() < 7 / 8 else limit - 1

    def actual(self) -> dict[Unit, int]:
        return {unit: self.random.choice(AMOUNTS) for unit in (Unit.USD, Unit.CALLS) if self.random.random() < 7 / 8}

    def any_account(self) -> Account:
        return self.where(self.random.choice(sorted(LIMITS)))


DRAWS: Final[tuple[tuple[str | None, Draw, int], ...]] = (
    (
        None,
        lambda g: reserve(g.id, *g.holds(), nonce=g.nonce, lease=g.random.choice(LEASES), on_expiry=g.on_expiry),
        40,
    ),
    (None, lambda g: settle(g.id, *g.holds(), actual=g.actual()), 20),
    (None, lambda g: charge(g.id, *g.holds(), actual=g.actual()), 8),
    (None, lambda g: release(g.id, g.nonce), 20),
    ("resolve", lambda g: resolve(g.id, g.actual()), 6),
    ("raise", lambda g: lift(g.any_account(), g.random.choice((0, 1, 5)), g.random.choice((None, 2**43))), 2),
    ("freeze", lambda g: freeze(g.any_account(), frozen=g.random.random() < 1 / 3), 3),
    ("close", lambda g: Close(g.any_account()), 1),
)
"""What a ledger must support for it, how it is drawn, and how often."""


class MachineTests(Suite):
    seeds: ClassVar[Collection[int]] = range(20)
    """Of the random runs. Give more for a longer proof, or the one that failed."""
    steps: ClassVar[int] = 100
    """Commands of one run, at most."""

    def test_money_1_to_7_any_order_of_commands_is_answered_as_by_the_memory_ledger(self) -> None:
        for seed in self.seeds:
            with self.opened() as bench:
                _Run(seed, bench, self.supports).go(self.steps)


class _Run:
    def __init__(self, seed: int, bench: Bench, supports: Collection[str]) -> None:
        self._seed = seed
        self._bench = bench
        self._generator = Generator(seed, bench, supports)
        self._oracle = MemoryLedger(clock=bench.clock)
        self._history: list[str] = []
        self._bench.stamp()  # both have seen what time it is
        self._oracle.apply(Balances())

    def go(self, steps: int) -> None:
        try:
            for _ in range(steps):
                self._pass_time()
                self._step(self._generator.command())
            self._bench.check("at the end")
        except Exception as error:
            told = "\n".join(f"  {line}" for line in self._history)
            raise AssertionError(f"seed {self._seed}: {error}\nAfter these steps:\n{told}") from error

    def _pass_time(self) -> None:
        """Nothing is old enough to be forgotten: when that happens is for a ledger to say."""
        random = self._generator.random
        if random.random() < 1 / 6 and len(self._history) < 150:
            step = random.choice(STEPS)
            self._history.append(f"the clock moves by {step} s")
            self._bench.tick(step)

    def _step(self, command: Command[Any]) -> None:
        self._history.append(spell(command))
        found = say(self._bench.apply(command))
        expected = say(self._oracle.apply(self._bench.named(command)))
        self._history[-1] += f" -> {found}"
        if found != expected:
            fail(f"the ledger answers {found!r}, and the memory ledger {expected!r}")
        for difference in self._differences():
            fail(difference)

    def _differences(self) -> Iterator[str]:
        mine = self._bench.balances()
        oracle = {balance.account.id: balance for balance in self._oracle.apply(Balances())}
        for id in sorted(mine.keys() | oracle.keys()):
            found, expected = _seen(mine.get(id)), _seen(oracle.get(id))
            if found != expected:
                yield f"account {id}: the ledger has {found}, and the memory ledger {expected}"


def _seen(balance: Balance | None) -> str:
    """What of a balance is compared; that of an account that nothing was ever booked on need not be there."""
    if balance is None:
        return "nothing"
    more = f", shut {balance.shut}" if balance.shut else ""
    more += ", limits disagree" if balance.limits_disagree else ""
    return f"{stands(balance)}, last limit {balance.last_limit}{more}"
