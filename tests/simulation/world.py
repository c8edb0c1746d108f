"""One run: a world is built from its options, goes on until nothing is left to do, and is audited."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol, runtime_checkable

from agent_airlock.budgets import BudgetSet
from agent_airlock.config import AirlockConfig
from agent_airlock.cost import Cost
from agent_airlock.cost_tracking import BudgetConfig, CostTracker
from agent_airlock.events import Event, EventKind
from agent_airlock.ledger import memory
from agent_airlock.ledger.accounts import Hold
from agent_airlock.ledger.commands import Ledger, Reserve
from agent_airlock.ledger.memory import MemoryLedger
from agent_airlock.ledger.sqlite import verbs
from agent_airlock.money import usd_from_nano
from agent_airlock.policy import SecurityPolicy
from agent_airlock.quote import Gate
from tests.simulation import audit
from tests.simulation.gate_callers import PRICING, gated
from tests.simulation.generator import GATED, Actor, Options, all_budgets
from tests.simulation.laws import Law, Violation
from tests.simulation.network import Faults, Line, Network
from tests.simulation.operators import OPERATORS
from tests.simulation.process import Process
from tests.simulation.provider import Provider
from tests.simulation.raw_callers import LABELS, RAW, Caller
from tests.simulation.replay import Replay
from tests.simulation.scheduler import Scheduler, Wall
from tests.simulation.server import Server
from tests.simulation.sqlite_store import SqliteStore

SWEEPERS: Final = (memory, verbs)
RESTART_MS: Final = 100
SCRIPTS: Final = {**RAW, **OPERATORS}


@runtime_checkable
class Closes(Protocol):
    """A ledger that has files."""

    def close(self) -> None: ...


@dataclass(slots=True)
class Outcome:
    """What a run showed. ``violation`` None: every law held."""

    options: Options
    violation: Violation | None
    given_up: Counter[Law]
    servers: tuple[Server, ...]
    """Those that were written to; the first is the one that all share."""

    @property
    def server(self) -> Server:
        return self.servers[0]


class World:
    """Everything of one run. No two worlds share anything."""

    current: Process
    """Whose step it is."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.rng = random.Random(f"world/{options.mode}/{options.seed}")
        for module in SWEEPERS:
            module.SWEEP = options.sweep  # type: ignore[attr-defined]
        self.scheduler = Scheduler(random.Random(options.seed))
        self.wall = Wall(self.scheduler, options.start_ms)
        self.network = Network(self.scheduler, options.some_faults())
        self.servers: list[Server] = []
        self.server = self.serve("ledger")
        self.second = self.serve("second ledger")
        self.provider = Provider(gives_up=options.mode == "release")
        self.dead: set[str] = set()
        self.untold: set[str] = set()
        self._shared: list[tuple[Process, str, Reserve | None]] = []
        self._boots: Counter[str] = Counter()
        self._taken: set[tuple[Process, str]] = set()
        every = all_budgets(options.limit)
        self.policy = SecurityPolicy(
            budgets=[every[number] for number in options.budgets], lease=f"{options.lease_ms} ms"
        ).freeze()
        self._slots = BudgetSet(every)
        self.processes: list[Process] = []
        self.forgotten = ""
        """The id of a settle that was just called forgotten: the gate makes another for its charge."""
        self.counts = True
        """Whether what hits a cell of the table is the ledger."""
        self.quiet = False
        """Whether all trouble is over."""

    # --- what it is made of ------------------------------------------------------------------------------

    def serve(self, name: str, owner: Process | None = None) -> Server:
        options = self.options
        ledger: Ledger
        if options.ledger == "sqlite" and owner is None:
            ledger = SqliteStore(self.wall, random.Random(f"{options.seed}/{name}"), options.max_ended)
        else:
            ledger = MemoryLedger(clock=self.wall, boot_clock=self.wall.boot, max_ended=self.options.max_ended)
        server = Server(name, ledger, self.wall, owner)
        self.servers.append(server)
        return server

    def boot(self, place: int) -> Process:
        name = f"p{place}"
        self._boots[name] += 1
        process = Process(self, name, random.Random(f"{self.options.seed}/{name}/{self._boots[name]}"))
        self.current = process
        process.tracker = self._tracker(process)
        process.gate = Gate(
            "tool",
            self.policy,
            config=AirlockConfig(on_event=self._hear),
            ledger=process.line,
            cost=Cost.model(),
            nothing_spent_on=(),
        )
        return process

    def _tracker(self, process: Process) -> CostTracker:
        kind = self.options.tracker
        cap = BudgetConfig(max_cost_per_session=usd_from_nano(2 * self.options.limit))
        if kind == "shared":
            return CostTracker(pricing=PRICING, ledger=process.line)
        if kind == "second":
            return CostTracker(pricing=PRICING, budget=cap, ledger=Line(process, self.second, self.network))
        memory = self.serve(f"memory of {process.name}/{process.nonce[:4]}", process)
        return CostTracker(pricing=PRICING, budget=cap if kind == "capped memory" else None, ledger=memory)

    def server_of(self, book: Any) -> Server:
        server: Server = book.server if isinstance(book, Line) else book
        return server

    def _hear(self, event: Event) -> None:
        if event.kind is EventKind.FORGOTTEN:
            self.forgotten = event.call_id or ""

    def close(self) -> None:
        for server in (self.server, self.second):
            if isinstance(server.ledger, Closes):
                server.ledger.close()

    # --- what callers take from it -----------------------------------------------------------------------

    def some_holds(self, rng: random.Random, now_ms: int) -> tuple[Hold, ...]:
        """One to three accounts of those that the gate uses; amounts at the edge of what is left, and beside it."""
        near = now_ms + rng.choice((0, 0, 0, 0, -1, 1, -1_000))
        agent = rng.choice(("a", "b"))
        values = {"agent": agent, "session": "s"}
        slots = self._slots.slots(tuple(values.get(kind) for kind in self._slots.kinds), near)
        holds = []
        for slot in rng.sample(slots, rng.randint(1, 3)):
            limit = slot.limit
            witness = self.server.witness
            left = witness.limit_of(Hold(slot.account, 0, limit)) - witness.of(slot.account).total
            left = 0 if limit is None else left
            amount = max(0, rng.choice((*self.options.amounts, left - 1, left, left, left + 1)))
            holds.append(Hold(slot.account, amount, limit))
        return tuple(holds)

    def reserve(self, id: str, nonce: str, holds: tuple[Hold, ...], rng: random.Random) -> Reserve:
        lease_ms = rng.choice((self.options.lease_ms, self.options.lease_ms, 1_000, 3_000))
        frees = self.options.mode == "release"
        return Reserve(id, nonce, holds, lease_ms, LABELS, "release" if frees else "presume")

    def call_takes(self, rng: random.Random) -> int:
        """How long a call runs: mostly shorter than its lease, sometimes to its end, or beyond it."""
        lease_ms = self.options.lease_ms
        return rng.choice((0, 5, 50, lease_ms // 2, lease_ms - 5, lease_ms, lease_ms + 1, 2 * lease_ms))

    def share(self, process: Process, id: str, command: Reserve | None = None) -> None:
        """From here on other callers may have this id too."""
        self._shared.append((process, id, command))

    def of_another(self, process: Process, rng: random.Random) -> tuple[str, Reserve | None] | None:
        """An id that another caller has made, and what it asks for, if that is known; each process takes an id once."""
        others = [
            (id, command)
            for owner, id, command in self._shared[-8:]
            if owner is not process and (process, id) not in self._taken
        ]
        if not others:
            return None
        id, command = rng.choice(others)
        self._taken.add((process, id))
        return id, command

    def take_an_id(self, process: Process) -> str | None:
        """Another caller's id, as a cloned machine makes it; mostly None."""
        if self.quiet or process.rng.random() >= self.options.reuse:
            return None
        other = self.of_another(process, process.rng)
        return None if other is None else other[0]

    # --- what happens ------------------------------------------------------------------------------------

    def play(self) -> None:
        """Everything that the options say, in its time; then the quiet at the end."""
        options, after = self.options, self.scheduler.after
        self.processes = [self.boot(place) for place in range(options.processes)]
        for actor in options.actors:
            after(actor.starts_ms, partial(self._act, actor))
        for number, at_ms in enumerate(options.kills_ms):
            after(at_ms, partial(self._kill, number % options.processes))
        for at_ms in options.cancels_ms:
            after(at_ms, self._cancel_one)
        for number, (at_ms, at_sync) in enumerate(options.cuts if options.ledger == "sqlite" else ()):
            after(at_ms, partial(self._cut_power, at_sync, machine=number % 2 == 0))
        for at_ms, step in options.steps:
            after(at_ms, partial(self._step_clock, step))
        self.scheduler.run()
        self.network.faults = Faults()
        self.scheduler.run()
        audit.all_is_well(self)
        self.counts = False
        Replay().follow(self.server.trace)

    def _act(self, actor: Actor) -> None:
        process = self.processes[actor.place]
        if not process.alive:
            self.scheduler.after(RESTART_MS, partial(self._act, actor))
            return
        rng = random.Random(f"{self.options.seed}/{actor.number}")
        self.current = process
        if actor.kind == GATED:
            process.start(gated(self, process, process.gate, rng), rng, cancellable=True)
        else:
            process.start(SCRIPTS[actor.kind](Caller(self, process, rng)), rng)

    def _kill(self, place: int) -> None:
        process = self.processes[place]
        if process.alive:
            process.die()
            self.dead.add(process.nonce)
            self.scheduler.after(RESTART_MS, partial(self._restart, place))

    def _cut_power(self, at_sync: int, *, machine: bool) -> None:
        """Of the ledgers' machine; ``machine``: all processes run on it too."""
        for server in (self.server, self.second):
            server.cut_at = at_sync
        if machine:
            for place in range(self.options.processes):
                self._kill(place)

    def _restart(self, place: int) -> None:
        self.processes[place] = self.boot(place)

    def _cancel_one(self) -> None:
        living = [process for process in self.processes if process.alive]
        tasks = [task for process in living for task in process.tasks if task.cancellable]
        if tasks:
            self.rng.choice(tasks).cancel()

    def _step_clock(self, step: int) -> None:
        self.wall.step(step)


def run(options: Options) -> Outcome:
    """Play one run to its end, or to the first law that it breaks."""
    from tests.simulation.seams import HERE

    world = HERE.world = World(options)
    violation: Violation | None = None
    try:
        world.play()
    except Violation as broken:
        violation = broken
    finally:
        world.close()
    written = tuple(server for server in world.servers if server.trace or server is world.server)
    return Outcome(options, violation, world.provider.given_up, written)
