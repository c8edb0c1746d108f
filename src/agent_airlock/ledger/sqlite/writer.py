"""One writer for a process: whoever comes first takes what waits into one transaction, and one sync.

No thread stands by. The caller that finds nobody leading leads: it takes the queue, has the batch executed, and
wakes the others. One that waits longer than ``RETRY_SECONDS`` looks for itself, so that a leader which an interrupt
threw out leaves nobody waiting. An event loop is never blocked: its commands are taken by whoever leads, or by a
thread that is started when the first one comes.
"""

from __future__ import annotations

import copy
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from ...exceptions import LedgerError, LedgerUnavailable
from ..commands import AnyCommand

if TYPE_CHECKING:
    import asyncio

MAX_BATCH: Final = 256
"""Commands of one transaction, at most: other processes wait for its end."""
RETRY_SECONDS: Final = 0.25
_INTERRUPTED: Final = "the transaction was interrupted: whether it took effect is not known"
IDLE_SECONDS: Final = 1.0
"""How long the thread that serves event loops stays when none asks."""


class _Bell:
    """Rung once or many times, it wakes one who waits, or the next who will."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def wait(self, seconds: float) -> bool:
        return self._lock.acquire(timeout=seconds)

    def ring(self) -> None:
        with suppress(RuntimeError):  # it rings already
            self._lock.release()


class Asked:
    """A command that waits for its answer: on a lock of its own, or as a future of an event loop."""

    __slots__ = ("answer", "bell", "command", "done", "error", "future", "loop")

    def __init__(self, command: AnyCommand, future: asyncio.Future[Any] | None = None) -> None:
        self.command = command
        self.answer: Any = None
        self.error: BaseException | None = None
        self.done = False
        self.future = future
        self.loop = None if future is None else future.get_loop()
        self.bell = _Bell()

    def result(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.answer


class Writer:
    """The queue of a process, and who leads it.

    Args:
        execute: gives each of a batch its answer or its error, once they are durable. What it raises is the error of
            every command of the batch: whether they took effect is not known.
    """

    def __init__(self, execute: Callable[[list[Asked]], None]) -> None:
        self._execute = execute
        self._queue: deque[Asked] = deque()
        # What a leader has taken from the queue and told no answer yet. If an interrupt throws the leader out, whoever
        # leads next tells the rest that their outcome is not known.
        self._batch: list[Asked] = []
        self._leading = threading.RLock()  # whose release fails in a thread that does not have it
        self._leader = 0
        self._thread: threading.Thread | None = None
        self._bell = _Bell()

    def ask(self, command: AnyCommand) -> Any:
        """The command's answer; the caller may have to lead."""
        if self._leader == threading.get_ident():
            raise LedgerUnavailable("a command inside a command of the same ledger, such as from its clock")
        asked = Asked(command)
        self._queue.append(asked)
        self._try_to_lead(asked)
        while not asked.done:
            asked.bell.wait(RETRY_SECONDS)
            self._try_to_lead(asked)
        return asked.result()

    def ask_later(self, command: AnyCommand, future: asyncio.Future[Any]) -> None:
        """The answer goes to a future; nothing waits here."""
        self._queue.append(Asked(command, future))
        if self._thread is None:
            self._start_thread()
        self._bell.ring()

    def exclusive(self, seconds: float) -> bool:
        """Take the lead, as before a fork; False if it is not to be had in time, or is this thread's own."""
        return self._leader != threading.get_ident() and self._leading.acquire(timeout=seconds)

    def release(self) -> None:
        self._leading.release()

    # --- leading -----------------------------------------------------------------------------------------

    def _try_to_lead(self, asked: Asked) -> None:
        """Lead one batch, if nobody does and the last leader's batch did not have this command."""
        leading = self._leading
        led = False
        try:
            if leading.acquire(blocking=False) and not asked.done:
                led = True
                self._lead()
        finally:
            # Only what this thread has is released: an interrupt may come between `acquire` and what notes it.
            try:  # noqa: SIM105  (another call here would be a place for an interrupt)
                leading.release()
            except RuntimeError:
                pass
        if led and self._queue:
            self._hand_over()

    def _lead(self) -> None:
        """Execute what waits, and tell each its answer. An interrupt may come anywhere: see ``_batch``."""
        self._leader = threading.get_ident()
        try:
            if self._batch:
                self._finish(LedgerUnavailable(_INTERRUPTED))
            batch, queue = self._batch, self._queue
            while queue and len(batch) < MAX_BATCH:
                if not queue[0].done:
                    batch.append(queue[0])
                queue.popleft()
            if batch:
                self._execute(batch)
                self._finish(None)
        except Exception as error:
            self._finish(error)
        finally:
            self._leader = 0

    def _finish(self, error: Exception | None) -> None:
        """Tell everyone of the batch its answer; or the error, where one is given and it was told none yet."""
        batch = self._batch
        if error is not None:
            for asked in batch:
                if not asked.done:
                    asked.error = _own(error)
        _deliver(batch)
        self._batch = []

    def _hand_over(self) -> None:
        try:
            first = self._queue[0]
        except IndexError:
            return
        if first.future is None:
            first.bell.ring()
        else:
            self._bell.ring()

    # --- for event loops ---------------------------------------------------------------------------------

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._serve, name="airlock-ledger", daemon=True)
        self._thread = thread
        thread.start()

    def _serve(self) -> None:
        while self._bell.wait(IDLE_SECONDS) or self._stay():
            while self._queue or self._batch:
                with self._leading:
                    self._lead()

    def _stay(self) -> bool:
        """Nobody asked for a while. Who asks from now on starts another thread; who did just now has this one."""
        self._thread = None
        return bool(self._queue or self._batch)


def _own(error: Exception) -> Exception:
    """An error of its own for each command of a batch: tracebacks grow on them."""
    if not isinstance(error, LedgerError):
        return error
    own = copy.copy(error)
    own.__cause__ = error.__cause__
    return own


def _deliver(batch: list[Asked]) -> None:
    loops: dict[asyncio.AbstractEventLoop, list[Asked]] = {}
    for asked in batch:
        asked.done = True  # again, where an interrupt stopped this before: each step may be done twice
        if asked.loop is None:
            asked.bell.ring()
        else:
            loops.setdefault(asked.loop, []).append(asked)
    for loop, mine in loops.items():
        with suppress(RuntimeError):  # the loop is closed: nobody awaits these any more
            loop.call_soon_threadsafe(_resolve, mine)


def _resolve(batch: list[Asked]) -> None:
    for asked in batch:
        future = asked.future
        if future is None or future.done():
            continue
        if asked.error is not None:
            future.set_exception(asked.error)
        else:
            future.set_result(asked.answer)
