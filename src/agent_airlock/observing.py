"""What a check that only observes does in place of a block: it tells what it would have blocked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, Literal, ParamSpec

from .call import Call
from .events import Event, EventKind, Listener, tell
from .exceptions import AirlockBlocked

P = ParamSpec("P")
CheckName = Literal["arguments", "access", "capabilities", "paths", "endpoints", "tier", "budgets", "ledger"]


def tell_would_block(tool: str, check: CheckName, block: AirlockBlocked, listener: Listener | None) -> None:
    """Tell one ``would_block`` event."""
    fields = {"check": check, "reason": block.reason.value, "scope": None, "account": None, "limit": None}
    tell(Event(EventKind.WOULD_BLOCK, tool, None, fields), listener)


def observed(
    check: Callable[Concatenate[Call, P], None], name: CheckName, listener: Listener | None
) -> Callable[Concatenate[Call, P], None]:
    """``check``, which tells what it would block and blocks nothing."""

    def observe(call: Call, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            check(call, *args, **kwargs)
        except AirlockBlocked as block:
            tell_would_block(call.tool, name, block, listener)

    return observe
