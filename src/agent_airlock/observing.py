"""What a check that only observes does in place of a block: it tells what it would have blocked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, Literal, ParamSpec

from .call import Call
from .events import Event, EventKind, Listener, tell
from .exceptions import AirlockBlocked, BlockReason

P = ParamSpec("P")
CheckName = Literal["arguments", "access", "capabilities", "paths", "endpoints", "tier", "budgets", "ledger"]


def tell_would_block(
    tool: str,
    check: CheckName,
    reason: BlockReason,
    listener: Listener | None,
    id: str | None = None,
    *,
    scope: str | None = None,
    account: str | None = None,
    limit: int | None = None,
) -> None:
    """Tell one ``would_block`` event; ``scope``, ``account`` and ``limit`` are those of a budget or a rate."""
    fields = {"check": check, "reason": reason.value, "scope": scope, "account": account, "limit": limit}
    tell(Event(EventKind.WOULD_BLOCK, tool, id, fields), listener)


def observed(
    check: Callable[Concatenate[Call, P], None], name: CheckName, listener: Listener | None
) -> Callable[Concatenate[Call, P], None]:
    """``check``, which tells what it would block and blocks nothing."""

    def observe(call: Call, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            check(call, *args, **kwargs)
        except AirlockBlocked as block:
            tell_would_block(call.tool, name, block.reason, listener)

    return observe
