"""The gate: ``admit(gate, call)`` before a call runs, ``close(ticket, outcome)`` after it.

Both are flows: they say what to ask of which book, and know nothing of threads, loops or sockets.
"""

from __future__ import annotations

from .actual import Spent, at_estimate, spent_by
from .budgets import Slot, budget_type
from .call import Call, Outcome
from .events import EventKind, heard
from .exceptions import (
    AirlockBlocked,
    AirlockBudgetExceeded,
    LedgerError,
    LedgerUnavailableBlocked,
    RateLimitExceeded,
    TicketUsedError,
)
from .ledger.accounts import Refusal
from .ledger.commands import (
    Charge,
    Forgotten,
    Refused,
    Release,
    Reserve,
    ReserveAnswer,
    Reserved,
    Settle,
    SettleAnswer,
    Settled,
    State,
    WrongPeriod,
)
from .ledger.flow import Flow, ask
from .ledger.ids import IDS
from .observing import tell_would_block
from .quote import Gate, Plan, Quote
from .telling import tell_actual, tell_of, tell_refused_by_observers, tell_settled

__all__ = ["Gate", "Ticket", "admit", "close"]


class Ticket:
    """What an admitted call carries until it ends; used once. It carries its books."""

    __slots__ = ("plans", "quote", "used")

    def __init__(self, quote: Quote, plans: tuple[Plan, ...]) -> None:
        self.quote = quote
        self.plans = plans
        self.used = False


def admit(gate: Gate | None, call: Call) -> Flow[Ticket | None]:
    """Let the call through with its money held, or raise the block that says why not.

    Without a gate (``testing.airlock_off``) there is nothing to hold, and no ticket.

    Raises:
        AirlockBlocked: the call may not run; nothing of it is held.
    """
    if gate is None:
        return None
    rules = gate.rules()
    for check in rules.checks:
        check(call)
    quote = gate.quote(call, rules)
    held: tuple[Plan, ...] = ()
    try:
        for plan in quote.plans:
            granted = yield from _hold(quote, plan)
            if granted is not None:
                held = (*held, granted[0])
                tell_refused_by_observers(quote, *granted)
        _tell_admitted(quote, held)
    except GeneratorExit:
        raise  # abandoned: its lease ends what is held
    except BaseException:
        for earlier in held:
            yield from _give_back(quote, earlier)
        raise
    return Ticket(quote, held)


def _tell_admitted(quote: Quote, held: tuple[Plan, ...]) -> None:
    if heard(EventKind.ADMITTED, quote.gate.config.on_event):
        estimate = quote.estimate
        fields: dict[str, object] = {"tier": estimate.tier, "model": estimate.model_id, "estimate_nano": estimate.nano}
        tell_of(quote, EventKind.ADMITTED, held[0].id if held else None, fields)


def _hold(quote: Quote, plan: Plan) -> Flow[tuple[Plan, Reserved] | None]:
    """Reserve one book's holds. Asked again once where its periods, or its id, were out of date.

    None: there is no grant, and the policy only observes, so the call runs without these holds.

    Raises:
        AirlockBlocked: there is no grant.
    """
    answer = yield from _reserve(quote, plan)
    if isinstance(answer, WrongPeriod | Forgotten):
        again = [
            fresh
            for fresh in quote.gate.plans(quote, answer.stamp.now_ms)
            if fresh.book is plan.book and fresh.on_tracker == plan.on_tracker
        ]
        plan = again[0]
        answer = yield from _reserve(quote, plan)
    if isinstance(answer, Reserved) and answer.state is State.HELD:
        return plan, answer
    if isinstance(answer, Reserved):
        # An answer that came late (its lease is over, say): nothing runs, so nothing may stay presumed.
        yield from _give_back(quote, plan)
    block = answer if isinstance(answer, AirlockBlocked) else _block(quote, plan, answer)
    # Under a policy that observes only the tracker's caps have a limit that travels: those stay.
    if not quote.rules.observes or any(hold.limit is not None for hold in plan.holds):
        raise block
    tell_would_block(quote.call.tool, "ledger", block.reason, quote.gate.config.on_event)
    return None


def _reserve(quote: Quote, plan: Plan) -> Flow[ReserveAnswer | LedgerUnavailableBlocked]:
    command = Reserve(plan.id, IDS.nonce, plan.holds, quote.rules.lease_ms, quote.labels)
    try:
        answer: ReserveAnswer = yield plan.book, command
        return answer
    except GeneratorExit:
        raise
    except BaseException as error:
        # Whether it was granted is not known: close the id, so that nothing is held either way.
        yield from _give_back(quote, plan)
        if not isinstance(error, Exception):
            raise
        return _unanswered(error)


def _unanswered(error: Exception) -> LedgerUnavailableBlocked:
    why = f": {error}" if isinstance(error, LedgerError) and str(error) else ""
    block = LedgerUnavailableBlocked(
        f"the ledger did not answer ({type(error).__name__}), and without it nothing may be spent{why}",
        hints=("Try again later: the ledger may be back.",),
    )
    block.__cause__ = error
    return block


def _block(quote: Quote, plan: Plan, answer: ReserveAnswer) -> AirlockBlocked:
    if not isinstance(answer, Refused):
        return LedgerUnavailableBlocked(
            f"the ledger answered {type(answer).__name__.lower()}, which is not a grant",
            hints=("Try again with a new call.",),
        )
    refusal = answer.refusal
    account = refusal.account
    slot = next((slot for slot in plan.slots if slot.account == account), None)
    if slot is not None and slot.is_rate:
        return _rate_block(slot, refusal)
    whose = "the session cap of the cost tracker" if slot is None else f"the budget {slot.name!r}"
    if refusal.asked > refusal.limit:
        because = "it is more than all of it"
    elif refusal.cause == "spent":
        because = "what it would need is spent"
    else:
        because = "what it would need is held by other calls"
    return AirlockBudgetExceeded(
        f"its worst case does not fit {whose}: {because}",
        budget_type=budget_type(account.unit),
        estimate=quote.estimate,
        refusal=refusal,
    )


def _rate_block(slot: Slot, refusal: Refusal) -> RateLimitExceeded:
    window = refusal.account.window
    return RateLimitExceeded(
        f"an agent may make {slot.amount} calls of {slot.name!r} a {window}, and this one has made them",
        pattern=slot.name,
        refusal=refusal,
        hints=(f"Call it again when the {window} is over.",),
    )


def _give_back(quote: Quote, plan: Plan) -> Flow[bool]:
    """Release; where that fails too, the lease ends it. Whether it did not fail."""
    try:
        yield from ask(plan.book, Release(plan.id, IDS.nonce))
    except GeneratorExit:
        raise
    except Exception as error:
        _tell_failure(quote, plan, "release", error)
        return False
    return True


# --- after the call --------------------------------------------------------------------------------------


def close(ticket: Ticket | None, outcome: Outcome) -> Flow[None]:
    """Book what the call really cost, on every book. A ledger that fails here fails no call that has run.

    Raises:
        TicketUsedError: it was closed already.
    """
    if ticket is None:
        return
    if ticket.used:
        raise TicketUsedError("a ticket is used once")
    ticket.used = True
    quote = ticket.quote
    spent = _spent(quote, outcome)
    id = ticket.plans[0].id if ticket.plans else IDS.make(quote.epoch.ledger.now_ms())
    interrupted: BaseException | None = None
    booked = True
    for plan in ticket.plans:
        try:
            done = yield from _give_back(quote, plan) if spent.nothing else _settle(quote, plan, spent)
            booked = booked and done
        except GeneratorExit:
            raise
        except BaseException as error:  # the other book is still to be told
            interrupted, booked = error, False
    if not spent.nothing and not (ticket.plans and any(plan.on_tracker for plan in ticket.plans)):
        charge = Plan(quote.epoch.ledger, id, quote.epoch.counting(spent.amounts), (), True)
        done = yield from _settle(quote, charge, spent, charged=True)
        booked = booked and done
    tell_actual(quote, id, spent, booked=booked)
    if interrupted is not None:
        raise interrupted


def _spent(quote: Quote, outcome: Outcome) -> Spent:
    try:
        return spent_by(quote, outcome)
    except Exception as error:  # the call has run: whatever its result does when it is looked at, it is booked
        tell_of(quote, EventKind.SETTLE_FAILED, None, {"verb": "read", "error": type(error).__name__})
        return at_estimate(quote)


def _settle(quote: Quote, plan: Plan, spent: Spent, *, charged: bool = False) -> Flow[bool]:
    """Book it; whether the book has it."""
    verb = Charge if charged else Settle
    try:
        answer: SettleAnswer = yield plan.book, verb(plan.id, plan.holds, spent.amounts, quote.labels)
        if isinstance(answer, Forgotten):
            # Its row is gone, the money is not: book it under a new id, once, and say so.
            tell_of(quote, EventKind.FORGOTTEN, plan.id, {"book": "tracker" if plan.on_tracker else "gate"})
            again = Charge(IDS.make(answer.stamp.now_ms), plan.holds, spent.amounts, quote.labels)
            answer = yield from ask(plan.book, again)
    except GeneratorExit:
        raise
    except Exception as error:
        _tell_failure(quote, plan, "settle", error)
        return False
    if not isinstance(answer, Settled):
        _tell_failure(quote, plan, "settle", None)
        return False
    if charged:
        quote.tracker.warn(quote.epoch, answer, plan.id, quote.call.tool, quote.gate.config.on_event)
    else:
        tell_settled(quote, plan, answer)
    return True


def _tell_failure(quote: Quote, plan: Plan, verb: str, error: Exception | None) -> None:
    fields: dict[str, object] = {"verb": verb, "error": type(error).__name__ if error else "Conflict"}
    tell_of(quote, EventKind.SETTLE_FAILED, plan.id, fields)
