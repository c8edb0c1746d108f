"""Callers behind the gate: the package's own flows, ``admit`` and ``close``, with a call to the provider between."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from agent_airlock.call import Call, Outcome, Raised, Returned, Tags, TokenUsage
from agent_airlock.context import AirlockContext
from agent_airlock.exceptions import AirlockBlocked, AirlockBudgetExceeded, NothingSpent
from agent_airlock.gate import Gate, Ticket, admit, close
from agent_airlock.ledger.accounts import Unit
from tests.simulation.generator import all_budgets
from tests.simulation.laws import Law, Violation
from tests.simulation.process import Process, Script
from tests.simulation.provider import Request

if TYPE_CHECKING:
    from tests.simulation.world import World

PRICING: Final = {"default": {"input": Decimal("0.000001"), "output": Decimal("0.000001")}}
"""USD per 1,000 tokens: a token costs a nanodollar, whichever way it goes."""


def gated(world: World, process: Process, gate: Gate, rng: random.Random) -> Script:
    """One agent's calls: who is blocked because others hold the money tries again."""
    agent = rng.choice(("a", "b", None))
    for _ in range(rng.randint(1, 3)):
        call = _call(rng, agent, rng.choice(world.options.amounts))
        try:
            ticket = yield from admit(gate, call)
        except AirlockBudgetExceeded as block:
            if block.refusal is None or block.refusal.cause != "held":
                raise
            yield rng.randint(1, 500)
            continue
        yield from _run(world, process, ticket, rng)


def one_call(gate: Gate, amount: int, answers: list[Any]) -> Script:
    """A call in the quiet at the end, and how it was met."""
    try:
        ticket = yield from admit(gate, _call(random.Random(0), "a", amount))
    except AirlockBlocked as block:
        answers.append(block)
        return
    answers.append(ticket)
    yield from close(ticket, Raised(NothingSpent()))


def _call(rng: random.Random, agent: str | None, amount: int) -> Call:
    """A call whose worst case is ``amount`` nanodollars, and as many tokens."""
    input_tokens = rng.randint(0, amount)
    tags = Tags(model_id="m", input_tokens=input_tokens, max_output_tokens=amount - input_tokens)
    return Call("tool", (), {}, (), (AirlockContext(agent_id=agent, session_id="s"),), tags=tags)


def _run(world: World, process: Process, ticket: Ticket, rng: random.Random) -> Script:
    request = _request(world, process, ticket, rng)
    try:
        reply = yield request
    except GeneratorExit:
        raise
    except BaseException as error:
        outcome: Outcome = Raised(error)
        raised: BaseException | None = error
    else:
        outcome, raised = Returned(reply), None
    yield from close(ticket, outcome)
    if raised is not None and not isinstance(raised, Exception):
        raise raised


def _request(world: World, process: Process, ticket: Ticket, rng: random.Random) -> Request:
    """What the provider will do with the call: what it bills is within the estimate, unless it says so itself."""
    estimate = ticket.quote.estimate.tokens
    _has_asked(world, ticket)
    places = tuple((world.server_of(plan.book), plan.id, plan.holds) for plan in ticket.plans)
    takes_ms = world.call_takes(rng)
    bills_ms = rng.randint(0, takes_ms)
    how = rng.choice(("reports", "reports", "reports", "is silent", "breaks off", "refuses", "is above"))
    if how == "refuses":
        return Request(process, places, None, NothingSpent(), takes_ms, bills_ms)
    tokens = rng.randint(0, estimate) if how != "is above" else estimate + rng.randint(1, 3)
    bill = {Unit.USD: tokens, Unit.TOKENS: tokens, Unit.CALLS: 1}
    if how == "breaks off":
        return Request(process, places, bill, ConnectionError(), takes_ms, bills_ms)
    reply = "no usage" if how == "is silent" else {"usage": TokenUsage(tokens, 0)}
    return Request(process, places, bill, reply, takes_ms, bills_ms)


def _has_asked(world: World, ticket: Ticket) -> None:
    """By the options alone: which lines a call counts in, and for how much."""
    call, estimate = ticket.quote.call, ticket.quote.estimate.tokens
    values = {"agent": call.value("agent_id") or "-", "session": call.value("session_id"), "global": ""}
    budgets = all_budgets(world.options.limit)
    asked = {hold.account.line: hold.amount for plan in ticket.plans for hold in plan.holds}
    lines = [line for line in asked if line.startswith("tracker:")]
    for budget in (budgets[number] for number in world.options.budgets):
        kind = budget.scope.partition(":")[0]
        scope = ":".join(filter(None, (kind, values[kind])))
        lines.append(("observed:" if budget.mode == "observe" else "") + f"{scope}/{budget.window}/{budget.unit.value}")
    if world.options.tracker != "memory" and not any(line.startswith("tracker:") for line in lines):
        raise Violation(Law.ASKED, f"{asked}, and not the tracker")
    for line in lines:
        due = 1 if line.endswith("calls") else estimate
        if asked.get(line, -1) < due:
            raise Violation(Law.ASKED, f"{line} counts a call of {estimate}, and was asked for {asked.get(line)}")
