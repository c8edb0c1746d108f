"""Books that do what a test tells them to."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Literal

from agent_airlock.ledger.commands import AnyCommand


class Scripted:
    """A sync book that answers with the next of its answers, and raises those that are errors."""

    is_async: ClassVar[Literal[False]] = False

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[AnyCommand] = []

    def now_ms(self) -> int:
        return 0

    def apply(self, command: Any, /) -> Any:
        self.asked.append(command)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


class Slow:
    """An async book: a command waits until the test lets it go."""

    is_async: ClassVar[Literal[True]] = True

    def __init__(self, *, error: BaseException | None = None) -> None:
        self.error = error
        self.reached = asyncio.Event()
        self.go = asyncio.Event()
        self.applied: list[AnyCommand] = []
        self.cancelled: list[AnyCommand] = []

    def now_ms(self) -> int:
        return 0

    async def apply(self, command: Any, /) -> Any:
        self.reached.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled.append(command)
            raise
        if self.error is not None:
            raise self.error
        self.applied.append(command)
        return "answer"
