"""A caller's process: it has a nonce, ids, tasks and a memory, and it may die at any moment."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from agent_airlock.exceptions import AirlockBlocked, LedgerUnavailable
from agent_airlock.ledger import ids
from agent_airlock.ledger.commands import AnyCommand, Charge, Forgotten, Release, Settle
from tests.simulation.laws import Law, Violation
from tests.simulation.network import RETRY_MS, Exchange, Line
from tests.simulation.provider import Request

if TYPE_CHECKING:
    from agent_airlock.cost_tracking import CostTracker
    from agent_airlock.quote import Gate
    from tests.simulation.world import World

Script = Generator[Any, Any, Any]
"""What one task does. It yields a (book, command), a :class:`Request`, or a pause in milliseconds."""


class Cancelled(BaseException):
    """The task is cancelled, as asyncio does it: raised where it waits."""


class Process:
    """Its books are its own: lines to the shared ledger, and what it has in memory."""

    def __init__(self, world: World, name: str, rng: random.Random) -> None:
        self.world = world
        self.name = name
        self.rng = rng
        self.ids = SeededIds(self, rng)
        self.alive = True
        self._posted: set[tuple[str, str, str]] = set()
        self.tasks: dict[Task, None] = {}
        self.line = Line(self, world.server, world.network)
        self.gate: Gate
        self.tracker: CostTracker

    def __repr__(self) -> str:
        return f"<{self.name}>"

    @property
    def nonce(self) -> str:
        return self.ids.nonce

    def start(self, script: Script, rng: random.Random, *, cancellable: bool = False) -> Task:
        """``rng``: the chance that its messages meet."""
        return Task(self, script, rng, cancellable)

    def post(self, line: Line, command: Settle | Charge | Release, rng: random.Random, *, again: bool = False) -> None:
        """Send it, in the background, until it is answered or the process dies; each message once.

        ``again``: it says under another id what was forgotten, and that is done once.
        """
        key = (line.server.name, type(command).__name__, command.id)
        if key in self._posted:
            return
        self._posted.add(key)

        def answered(answer: Any, error: BaseException | None) -> None:
            if error is not None:
                self.world.scheduler.after(RETRY_MS, send)
            elif isinstance(answer, Forgotten) and not isinstance(command, Release) and not again:
                self._charge(line, command, rng)

        def send() -> None:
            if self.alive:
                Exchange(line, command, answered, rng)

        send()

    def _charge(self, line: Line, forgotten: Settle | Charge, rng: random.Random) -> None:
        """Its row is gone, the money is not: once more, under a new id."""
        id = self.ids.make(line.now_ms())
        self.world.provider.renamed[forgotten.id].append(id)
        charge = Charge(id, forgotten.holds, forgotten.actual, forgotten.labels)
        self.post(line, charge, rng, again=True)

    def die(self) -> None:
        """Nothing of it runs on. What is on its way arrives."""
        self.alive = False
        for task in list(self.tasks):
            task.abandon()


class Task:
    """Runs one script, a step at a time, between the scheduler's events."""

    def __init__(self, process: Process, script: Script, rng: random.Random, cancellable: bool) -> None:
        self.process = process
        self._rng = rng
        self.cancellable = cancellable
        self._script = script
        self._exchange: Exchange | None = None
        self._must_finish = False
        self._request: Request | None = None
        self._cancelled = False
        self._turn = 0
        self.over = False
        process.tasks[self] = None
        self._step(lambda: next(script))

    def cancel(self) -> None:
        """As a task is cancelled that waits: at once, or when what must finish has finished."""
        if self._must_finish:
            self._cancelled = True
        elif not self.over:
            self._drop()
            if self._request is not None:
                self._request.untold = True
            self._resume(None, Cancelled())

    def abandon(self) -> None:
        """As a generator is closed: it may do nothing more."""
        if self.over:
            return
        self._drop()
        if self._request is not None:
            self._request.untold = True
        self._finish()
        try:
            self._script.close()
        except RuntimeError as error:
            raise Violation(Law.FLOW, f"a flow goes on after it was closed: {error}") from error

    def _drop(self) -> None:
        if self._exchange is not None:
            self._exchange.drop()
            self._exchange = None

    def _finish(self) -> None:
        self.over = True
        self.process.tasks.pop(self, None)

    def _resume(self, value: Any, error: BaseException | None) -> None:
        self._must_finish = False
        if error is not None:
            self._step(lambda: self._script.throw(error))
        else:
            self._step(lambda: self._script.send(value))

    def _step(self, go: Callable[[], Any]) -> None:
        self._turn += 1
        self.process.world.current = self.process
        try:
            asked = go()
        except (StopIteration, AirlockBlocked, Cancelled):
            self._finish()
        except Violation:
            raise
        except BaseException as error:
            raise Violation(Law.FLOW, f"a task of {self.process} ended with {error!r}") from error
        else:
            self._wait_for(asked)

    def _wait_for(self, asked: Any) -> None:
        process, turn = self.process, self._turn

        def go_on(value: Any, error: BaseException | None) -> None:
            if process.alive and not self.over and self._turn == turn:
                self._resume(value, error)

        after = process.world.scheduler.after
        if isinstance(asked, int):
            after(asked, lambda: go_on(None, None))
        elif isinstance(asked, Request):
            self._call(asked, go_on)
        else:
            book, command = asked
            self._ask(book, command, go_on)

    def _call(self, request: Request, go_on: Callable[[Any, BaseException | None], None]) -> None:
        world = self.process.world
        self._request = request
        world.provider.begin(request)
        world.scheduler.after(request.bills_ms, lambda: world.provider.end(request))
        reply = request.reply
        error = reply if isinstance(reply, BaseException) else None
        # The bill is written before the reply is sent.
        world.scheduler.after(max(request.takes_ms, request.bills_ms + 1), lambda: go_on(reply, error))

    def _ask(self, book: Any, command: AnyCommand, go_on: Callable[[Any, BaseException | None], None]) -> None:
        self._must_finish = command.must_finish
        if not isinstance(book, Line):  # a memory of this process is applied in place
            answer = book.apply(command)
            self.process.world.scheduler.after(0, lambda: go_on(answer, None))
            return

        def answered(answer: Any, error: BaseException | None) -> None:
            if isinstance(error, LedgerUnavailable) and isinstance(command, Settle | Charge | Release):
                self.process.post(book, command, self._rng)
            go_on(answer, error)

        self._exchange = Exchange(book, command, answered, self._rng)


class SeededIds(ids.IdMaker):
    """The package's ids and nonce of one process, with the seed's bits for the random ones."""

    def __init__(self, process: Process, rng: random.Random) -> None:
        self._rng = rng
        self._process = process
        super().__init__()

    def renew(self) -> None:
        super().renew()
        self._tail = ids._encode(self._rng.getrandbits(60), 6)
        self.nonce = f"{self._rng.getrandbits(64):016x}"


class Current:
    """Stands where the package has its one maker of ids: the process whose step it is makes them."""

    def __init__(self, world: Callable[[], World], *, reuses: bool) -> None:
        self._world = world
        self._reuses = reuses

    @property
    def nonce(self) -> str:
        return self._world().current.nonce

    def make(self, now_ms: int) -> str:
        world = self._world()
        process = world.current
        if self._reuses and (id := world.take_an_id(process)) is not None:
            return id
        id = process.ids.make(now_ms)
        if self._reuses:
            world.share(process, id)
        if world.forgotten:
            world.provider.renamed[world.forgotten].append(id)
            world.forgotten = ""
        return id
