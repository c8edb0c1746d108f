"""What a seed stands for: who calls, what is in the way, how little there is. Everything is in ``Options``."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields
from typing import Final, Literal, get_args

from agent_airlock.budgets import Budget
from tests.simulation.network import Faults
from tests.simulation.operators import OPERATORS
from tests.simulation.raw_callers import RAW

Mode = Literal["quiet", "faults", "crashes", "clock", "release"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)
Kind = Literal["memory", "sqlite"]
KINDS_OF_LEDGER: Final[tuple[Kind, ...]] = get_args(Kind)
Tracker = Literal["memory", "capped memory", "shared", "second"]

NANO: Final = 10**9
GATED: Final = "gated"
KINDS: Final = (GATED, *RAW, *OPERATORS)


@dataclass(frozen=True, slots=True)
class Actor:
    """One task: what it does, in which process, from when."""

    number: int
    kind: str
    place: int
    starts_ms: int


@dataclass(frozen=True, slots=True)
class Options:
    """All of a run. Two runs with the same options are the same."""

    seed: int
    mode: Mode
    ledger: Kind
    limit: int
    """Of the narrowest account, in nanodollars; amounts are at it, beside it, and parts of it."""
    budgets: tuple[int, ...]
    tracker: Tracker
    processes: int
    actors: tuple[Actor, ...]
    kills_ms: tuple[int, ...]
    cancels_ms: tuple[int, ...]
    steps: tuple[tuple[int, int], ...]
    """When the wall clock steps, and by how much."""
    faults: tuple[float, float, float, float]
    start_ms: int
    """Where the day begins for the run, from the day's first millisecond."""
    lease_ms: int
    max_ended: int
    sweep: int
    """How many ended leases a command sweeps, at most."""
    cuts: tuple[tuple[int, int], ...]
    """When the power goes, and at which sync of the command that comes next; 0: after its answer. (SQLite only.)"""
    reuse: float
    """How often a gate makes an id that another process has made before."""

    @property
    def amounts(self) -> tuple[int, ...]:
        limit = self.limit
        return (0, 1, limit // 2, limit // 2 + 1, limit - 1, limit, limit + 1)

    def some_faults(self) -> Faults:
        return Faults(*self.faults)

    def describe(self) -> str:
        lines = (f"    {field.name}={getattr(self, field.name)!r}," for field in fields(self))
        return "\n".join(["Options(", *lines, ")"])


def all_budgets(limit: int) -> tuple[Budget, ...]:
    """Those that a run chooses from, by number. All windows are short, or at their ends when the run begins."""

    def usd(amount: int) -> str:
        return f"{amount / NANO:.9f} USD"

    return (
        Budget("global", usd(2 * limit)),
        Budget("agent:*", usd(limit), "second"),
        Budget("agent:*", usd(limit), "day"),
        Budget("session:*", "6 calls", "minute"),
        Budget("agent:*", f"{3 * limit} tokens", "hour"),
        Budget("global", usd(limit), "minute", mode="observe"),
    )


def generate(seed: int, mode: Mode, focus: tuple[str, ...] = (), ledger: Kind = "memory") -> Options:
    """The options of a seed in a mode. ``focus``: kinds of callers of which there are more than usual."""
    rng = random.Random(f"{mode}/{seed}")
    faulty = mode != "quiet"
    processes = rng.randint(2, 4)
    span_ms = rng.choice((1_000, 4_000, 12_000))
    kinds = (GATED, GATED, GATED, *RAW, *KINDS, *focus * 12)
    actors = tuple(
        Actor(number, rng.choice(kinds), rng.randrange(processes), _start(rng, span_ms))
        for number in range(rng.randint(8, 16))
    )
    kills = mode in ("crashes", "release")
    return Options(
        seed=seed,
        mode=mode,
        ledger=ledger,
        limit=rng.choice((4, 7, 10, 20)),
        budgets=tuple(sorted(rng.sample(range(6), rng.randint(1, 4)))),
        tracker=rng.choice(get_args(Tracker)),
        processes=processes,
        actors=actors,
        kills_ms=tuple(rng.randint(0, span_ms) for _ in range(rng.randint(1, 4) if kills else 0)),
        cancels_ms=tuple(rng.randint(0, span_ms) for _ in range(rng.randint(0, 3) if faulty else 0)),
        steps=_steps(rng, span_ms) if mode == "clock" else (),
        faults=tuple(rng.choice((0.0, 0.1, 0.3, 0.5)) for _ in range(4)) if faulty else (0.0, 0.0, 0.0, 0.0),  # type: ignore[arg-type]
        start_ms=-rng.choice((500, 2_000, 30_000)),
        lease_ms=rng.choice((60, 1_000, 1_000, 2_000, 5_000)),
        max_ended=rng.choice((2, 5, 100)),
        sweep=rng.choice((0, 1, 64)),
        cuts=tuple((rng.randint(0, span_ms), rng.randint(0, 3)) for _ in range(rng.randint(1, 3) if kills else 0)),
        reuse=0.1,
    )


def _start(rng: random.Random, span_ms: int) -> int:
    """Somewhere, or beside the edge of a second."""
    anywhere = rng.randint(0, span_ms)
    return anywhere if rng.random() < 0.6 else max(0, anywhere // 1_000 * 1_000 + rng.choice((-2, -1, 0, 1)))


def _steps(rng: random.Random, span_ms: int) -> tuple[tuple[int, int], ...]:
    sizes = (-7_200_000, -60_000, -1_001, -1, 1, 999, 1_500, 60_000, 61_000, 7_200_000)
    return tuple((rng.randint(0, span_ms), rng.choice(sizes)) for _ in range(rng.randint(1, 4)))
