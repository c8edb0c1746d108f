"""A ledger on its own side of the network: what reaches it is witnessed, and written down in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from agent_airlock.exceptions import ClockJump
from agent_airlock.ledger.clocks import LEAP_MS
from agent_airlock.ledger.commands import AnyCommand, Ledger
from agent_airlock.ledger.operations import Clock
from tests.simulation.laws import Law, Violation
from tests.simulation.witness import Witness, must

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.scheduler import Wall


@dataclass(frozen=True, slots=True)
class Applied:
    """What reached a ledger, when, by the time that passes and by the wall, and its answer."""

    mono_ms: int
    wall_ms: int
    command: AnyCommand
    answer: Any


class Server:
    """One book. Also a book of the package itself, for those that are in the caller's own process."""

    is_async: ClassVar[Literal[False]] = False

    def __init__(self, name: str, ledger: Ledger, wall: Wall, owner: Process | None = None) -> None:
        self.name = name
        self.ledger = ledger
        self.owner = owner
        """The process whose memory it is, and with which it is gone; None: it outlives them."""
        self.witness = Witness()
        self.trace: list[Applied] = []
        self._wall = wall
        self._believed_ms = wall.offset_ms
        """How far the wall clock may be ahead of the time that passes: as when the ledger was opened, and put right."""

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def now_ms(self) -> int:
        return self.ledger.now_ms()

    def apply(self, command: AnyCommand, /) -> Any:
        wall = self._wall
        if wall.offset_ms <= self._believed_ms + LEAP_MS or (isinstance(command, Clock) and command.how == "accept"):
            self._believed_ms = max(self._believed_ms, wall.offset_ms)
        try:
            answer = self.ledger.apply(command)
        except ClockJump as jump:
            must(wall.may_be_called_ahead, Law.LEAP, "the clock is right, and was called ahead: {}", jump)
            self._note(command, jump)
            return jump
        except Exception as error:
            raise Violation(Law.TOTALS, f"{self.name}: {command!r} raised {error!r}") from error
        self._note(command, answer)
        self.witness.saw(command, answer)
        now, can_be = self.witness.now_ms, wall.mono_ms + self._believed_ms
        must(now <= can_be, Law.LEAP, "it is {} at most, and was called {}", can_be, now)
        return answer

    def receive(self, command: AnyCommand) -> Any:
        """What came over the network. None: nobody is there to answer."""
        return self.apply(command)

    def _note(self, command: AnyCommand, answer: Any) -> None:
        self.trace.append(Applied(self._wall.mono_ms, self._wall.ms, command, answer))
