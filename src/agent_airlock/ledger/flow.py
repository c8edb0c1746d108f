"""Flows: what needs more than one round trip, written once for sync and async.

A flow is a generator that yields ``(book, command)`` and is sent the answer. Only :func:`drive` and
:func:`adrive` run one. A test over the syntax tree holds that no flow yields after ``GeneratorExit``, nor
inside a ``with``: nothing is locked, open or borrowed while a call runs.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Generator
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from .commands import A, AnyCommand, Book, Command

if TYPE_CHECKING:
    import asyncio

R = TypeVar("R")
Flow = Generator[tuple[Book, AnyCommand], Any, R]

FINISH_SECONDS: Final = 5.0
"""How long a cancelled task still waits for a settle or a release; after that its lease ends it."""


def ask(book: Book, command: Command[A]) -> Flow[A]:
    """One round trip, with the answer's type kept through the yield."""
    answer: A = yield book, command
    return answer


def drive(flow: Flow[R]) -> R:
    """Run a flow whose books are all sync."""
    try:
        book, command = next(flow)
        while True:
            try:
                answer = book.apply(command)
            except BaseException as error:  # the flow decides what an unknown outcome means
                book, command = flow.throw(error)
            else:
                book, command = flow.send(answer)
    except StopIteration as done:
        return cast("R", done.value)


async def adrive(flow: Flow[R]) -> R:
    """Run a flow; async books are awaited, sync ones applied in place.

    A cancellation that comes while a command must finish is raised when the flow has ended, however it ends.
    """
    cancelled: BaseException | None = None
    try:
        book, command = next(flow)
        while True:
            try:
                if not book.is_async:
                    answer: Any = book.apply(command)
                elif command.must_finish:
                    task, meanwhile = await _finish(book.apply(command))
                    cancelled = cancelled or meanwhile
                    answer = task.result()
                else:
                    answer = await book.apply(command)
            except BaseException as failure:
                book, command = flow.throw(failure)
            else:
                book, command = flow.send(answer)
    except StopIteration as done:
        if cancelled is not None:
            raise cancelled from None
        return cast("R", done.value)
    except Exception as error:
        if cancelled is not None:
            raise cancelled from error
        raise


async def _finish(answer: Awaitable[Any]) -> tuple[asyncio.Future[Any], BaseException | None]:
    """Await an answer through cancellations, for a bounded time after the first. A done future, and the first of them.

    (anyio, under most web and tool servers, cancels again in each turn of the loop until the task ends.)
    """
    import asyncio

    task: asyncio.Future[Any] = asyncio.ensure_future(answer)
    cancelled: BaseException | None = None
    deadline = 0.0
    while not task.done():
        left = None if cancelled is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            task.cancel()
            raise cast("BaseException", cancelled)
        try:
            await asyncio.wait({task}, timeout=left)  # its own cancellation leaves the task alone
        except asyncio.CancelledError as error:
            if cancelled is None:
                cancelled, deadline = error, time.monotonic() + FINISH_SECONDS
    return task, cancelled
