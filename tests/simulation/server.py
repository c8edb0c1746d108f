"""A ledger on its own side of the network: what reaches it is witnessed, and written down in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from agent_airlock.exceptions import ClockJump
from agent_airlock.ledger.commands import AnyCommand, Ledger
from agent_airlock.ledger.operations import ClockStands
from tests.simulation.laws import Law, Violation
from tests.simulation.witness import Witness, must

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.scheduler import Wall

Applied = tuple[int, AnyCommand, Any]
"""When by the wall, what, and the answer."""


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

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def now_ms(self) -> int:
        return self.ledger.now_ms()

    def apply(self, command: AnyCommand, /) -> Any:
        try:
            answer = self.ledger.apply(command)
        except ClockJump as jump:
            must(self._wall.may_be_called_ahead, Law.LEAP, "the clock is right, and was called ahead: {}", jump)
            return jump
        except Exception as error:
            raise Violation(Law.TOTALS, f"{self.name}: {command!r} raised {error!r}") from error
        self.trace.append((self._wall.ms, command, answer))
        self.witness.saw(command, answer)
        can_be = self._wall.can_be_ms
        must(self.witness.now_ms <= can_be, Law.LEAP, "it is {} at most, and was called {}", can_be, self.witness.now_ms)
        if isinstance(answer, ClockStands) and command.how == "accept":
            self._wall.accept()
        return answer

    def receive(self, command: AnyCommand) -> Any:
        """What came over the network. None: nobody is there to answer."""
        return self.apply(command)
