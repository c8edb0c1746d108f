"""What lies between a process and a ledger: a message may be lost, late, repeated, and so may its answer."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from agent_airlock.exceptions import LedgerUnavailable
from agent_airlock.ledger.commands import AnyCommand, Frozen, PeriodOverlap, Refused, Release, Reserve, WrongPeriod
from tests.simulation.scheduler import Scheduler

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.server import Server

TIMEOUT_MS: Final = 50
"""How long a caller waits for an answer."""
RETRY_MS: Final = 200
"""How long it then waits before it sends a settle or a release again."""

NOTHING_STANDS: Final = (Refused, WrongPeriod, PeriodOverlap, Frozen)
"""Answers to a reserve that leave its id free: a copy that lands later may be granted."""

Answered = Callable[[Any, BaseException | None], None]


@dataclass(slots=True)
class Faults:
    """How often a message has each fault. All zero: none."""

    lost: float = 0.0
    answer_lost: float = 0.0
    late: float = 0.0
    repeated: float = 0.0
    late_ms: int = 4_000
    """A message that is late is so by up to this."""


class Network:
    """How long messages take, and what becomes of them. Each sender brings its own chance.

    So a run without one of its callers is the same run for the others.
    """

    def __init__(self, scheduler: Scheduler, faults: Faults) -> None:
        self.scheduler = scheduler
        self.faults = faults

    def delay(self, rng: random.Random) -> int:
        faults = self.faults
        if faults.late and rng.random() < faults.late:
            return rng.randint(TIMEOUT_MS // 2, faults.late_ms)
        return rng.randint(0, 3)


class Line:
    """A ledger as one process sees it: a book of the package's flows, which only a task's steps reach."""

    is_async: ClassVar[Literal[False]] = False

    def __init__(self, process: Process, server: Server, network: Network) -> None:
        self.process = process
        self.server = server
        self.network = network
        self._learn(server.now_ms())

    def _learn(self, now_ms: int) -> None:
        self._known = now_ms
        self._known_at = self.network.scheduler.now_ms

    def now_ms(self) -> int:
        """What the last answer said, and the time since."""
        return self._known + self.network.scheduler.now_ms - self._known_at

    def apply(self, command: AnyCommand, /) -> Any:
        raise AssertionError("a flow called its book itself: only its driver may")

    def heard(self, answer: Any) -> None:
        if not isinstance(answer, Exception) and answer.stamp.now_ms >= self._known:
            self._learn(answer.stamp.now_ms)


class Exchange:
    """One message on its way, until it is answered or given up. Its copies may arrive long after."""

    __slots__ = ("_answered", "_attempts", "_command", "_copies", "_line", "_over", "_rng", "_sent")

    def __init__(self, line: Line, command: AnyCommand, answered: Answered, rng: random.Random) -> None:
        self._line = line
        self._command = command
        self._answered = answered
        self._rng = rng
        self._attempts = rng.randint(1, 3)
        self._sent = 0
        self._copies = 0
        self._over = False
        self._send()

    def drop(self) -> None:
        """Nobody waits any more. What is on its way goes on."""
        self._over = True

    def _send(self) -> None:
        network = self._line.network
        rng, faults, after = self._rng, network.faults, network.scheduler.after
        self._sent += 1
        copies = 2 if faults.repeated and rng.random() < faults.repeated else 1
        self._copies += copies
        for _ in range(copies):
            if not (faults.lost and rng.random() < faults.lost):
                after(network.delay(rng), self._arrive)
        sent = self._sent
        after(TIMEOUT_MS, lambda: self._time_out(sent))

    def _arrive(self) -> None:
        network = self._line.network
        answer = self._line.server.receive(self._command)
        rng, lost = self._rng, network.faults.answer_lost
        if answer is None or (lost and rng.random() < lost):
            return
        network.scheduler.after(network.delay(rng), lambda: self._hear(answer))

    def _hear(self, answer: Any) -> None:
        line = self._line
        if not line.process.alive:
            return
        line.heard(answer)
        if self._over:
            return
        self._over = True
        if isinstance(answer, Exception):  # the ledger's own: it says that it cannot
            self._answered(None, answer)
            return
        command = self._command
        if self._copies > 1 and isinstance(command, Reserve) and isinstance(answer, NOTHING_STANDS):
            # An earlier copy may still land, when there is room.
            line.process.post(line, Release(command.id, command.nonce), self._rng)
        self._answered(answer, None)

    def _time_out(self, sent: int) -> None:
        if self._over or sent != self._sent:
            return
        if sent < self._attempts and self._line.process.alive:
            self._send()
            return
        self._over = True
        self._answered(None, LedgerUnavailable("no answer"))
