"""A ledger on its own side of the network: what reaches it is witnessed, and written down in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from agent_airlock.exceptions import ClockJump
from agent_airlock.ledger.accounts import Balance
from agent_airlock.ledger.clocks import LEAP_MS
from agent_airlock.ledger.commands import AnyCommand, Balances, Check, Ledger
from agent_airlock.ledger.operations import Clock, Open
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
        self.cut_at: int | None = None
        """The power goes while the next command is worked on: at its first sync, its second, …; 0: after its answer."""
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
        answer = self._ask(command)
        if isinstance(answer, ClockJump):
            must(wall.may_be_called_ahead, Law.LEAP, "the clock is right, and was called ahead: {}", answer)
            self._note(command, answer)
            return answer
        self._note(command, answer)
        self.witness.saw(command, answer)
        now, can_be = self.witness.now_ms, wall.mono_ms + self._believed_ms
        must(now <= can_be, Law.LEAP, "it is {} at most, and was called {}", can_be, now)
        return answer

    def _ask(self, command: AnyCommand) -> Any:
        try:
            return self.ledger.apply(command)
        except ClockJump as jump:
            return jump
        except Exception as error:
            raise Violation(Law.TOTALS, f"{self.name}: {command!r} raised {error!r}") from error

    def receive(self, command: AnyCommand) -> Any:
        """What came over the network. None: nobody is there to answer."""
        if self.cut_at is None:
            return self.apply(command)
        at_sync, self.cut_at = self.cut_at, None
        return self._lose_power(command, at_sync)

    def _lose_power(self, command: AnyCommand, at_sync: int) -> Any:
        """The power goes while it works on the command, or just after; then what is there must be all it ever said."""
        store: Any = self.ledger
        known = self.witness.stamp
        try:
            answer, given = store.apply_and_lose_power(command, at_sync)
        except ClockJump:
            return None
        if given:
            self._note(command, answer)
            self.witness.saw(command, answer)
            known = self.witness.stamp
        found = self._ask(Balances())
        same = known is None or (found.stamp.epoch, found.stamp.seq) >= (known.epoch, known.seq)
        must(same, Law.DURABLE, "{} was answered, and {} is there", known, found.stamp)
        if not given:
            # Whether it took effect is not known: the identical command once more tells.
            again = self._ask(command)
            if not isinstance(again, ClockJump):
                again = self.witness.as_first(command, again)
                self._note(command, again)
                self.witness.saw(command, again, unsure=True)
        self._is_all_there()
        return answer if given else None

    def _is_all_there(self) -> None:
        """What was acknowledged is in the file: each account's sums, each open row."""
        found = {balance.account.id: balance for balance in self._ask(Balances())}
        self.witness.end_leases(self._ask(Check()).stamp.now_ms)
        for id, sums in self.witness.sums.items():
            told = found.get(id) or Balance(sums.account)
            right = (told.settled, told.presumed, told.held) == (sums.settled, sums.presumed, sums.held)
            must(right or sums.shut == "saturated", Law.DURABLE, "{} was acknowledged, and {} is there", sums, told)
        page = self._ask(Open(limit=10_000))
        open_ = {entry.id for entry in page.entries}
        for id, row in self.witness.rows.items():  # what was presumed may be forgotten by now
            right = row.stands if id in open_ else row.state != "held"
            must(right, Law.DURABLE, "{} is {}, and is{} open in the file", id, row, "" if id in open_ else " not")

    def _note(self, command: AnyCommand, answer: Any) -> None:
        self.trace.append(Applied(self._wall.mono_ms, self._wall.ms, command, answer))
