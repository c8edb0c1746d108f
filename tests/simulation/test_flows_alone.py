"""The flows without a ledger: whatever their books answer, or fail to, and wherever they are cut off.

A book here answers anything that a ledger may, at random, or nothing. What a flow owes holds against all of them: a
call runs only if every book answered *held* to it; what it does not run is given back or never was; it ends; and it
does nothing after it was closed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar, Final, Literal

import pytest

from agent_airlock.budgets import Budget
from agent_airlock.call import Call, Outcome, Raised, Returned, Tags, TokenUsage
from agent_airlock.config import AirlockConfig
from agent_airlock.context import AirlockContext
from agent_airlock.cost import Cost
from agent_airlock.cost_tracking import BudgetConfig, CostTracker, set_global_tracker
from agent_airlock.exceptions import AirlockBlocked, ClockJump, LedgerUnavailable, NothingSpent
from agent_airlock.gate import Gate, Ticket, admit, close
from agent_airlock.ledger.accounts import Balance, Refusal
from agent_airlock.ledger.commands import (
    AnyCommand,
    Charge,
    Conflict,
    Forgotten,
    Frozen,
    InUse,
    PeriodOverlap,
    Refused,
    Released,
    Reserve,
    Reserved,
    Settle,
    Settled,
    Stamp,
    State,
    WrongPeriod,
)
from agent_airlock.policy import SecurityPolicy
from tests.ledger.clock import START_MS

PRICING: Final = {"default": {"input": Decimal("0.000001"), "output": Decimal("0.000001")}}
MOST_STEPS: Final = 20
NEVER_STANDS: Final = (Refused, WrongPeriod, PeriodOverlap, Frozen, InUse, Conflict, Forgotten)


class Interrupt(BaseException):
    """What a cancelled task, or Ctrl-C, raises where it waits."""


@dataclass(eq=False)
class Whim:
    """A book that answers as it likes. It remembers what it was asked, and what it said."""

    rng: random.Random
    name: str
    told: list[tuple[AnyCommand, object]] = field(default_factory=list)
    is_async: ClassVar[Literal[False]] = False

    def now_ms(self) -> int:
        return START_MS + 500

    def apply(self, command: AnyCommand, /) -> Any:
        raise AssertionError("only a driver may ask a book")

    def answer(self, command: AnyCommand) -> object:
        """An answer of the right kind, or an error."""
        stamp = Stamp("whim", 1, len(self.told), self.now_ms() + self.rng.choice((0, 0, 1_000)))
        if self.rng.random() < 0.15:
            answer: object = self.rng.choice((LedgerUnavailable("no answer"), ClockJump(1), OSError(), Interrupt()))
        elif isinstance(command, Reserve):
            answer = self._reserved(command, stamp)
        elif isinstance(command, Settle | Charge):
            zeros = tuple(Balance(hold.account) for hold in command.holds)
            settled = Settled("settled", self.rng.random() < 0.2, zeros, zeros, stamp)
            answer = self.rng.choice((settled, settled, settled, Forgotten(stamp), Conflict("actual", stamp)))
        else:
            answer = Released(self.rng.choice(list(State)), self.rng.random() < 0.5, stamp)
        self.told.append((command, answer))
        return answer

    def _reserved(self, command: Reserve, stamp: Stamp) -> object:
        account = command.holds[0].account
        held = Reserved(State.HELD, stamp, tuple(Balance(hold.account) for hold in command.holds))
        others = (
            Reserved(self.rng.choice([state for state in State if state is not State.HELD]), stamp),
            Refused(Refusal(account, 1, 1, 0, 0, 1, "spent"), stamp),
            WrongPeriod(account, stamp),
            PeriodOverlap(account, stamp),
            Frozen(account, "override", stamp),
            InUse(stamp),
            Conflict("accounts", stamp),
            Forgotten(stamp),
        )
        return self.rng.choice((held,) * 8 + others)


@contextmanager
def _a_gate(rng: random.Random) -> Iterator[tuple[Gate, list[Whim]]]:
    """A gate on one book, or on two."""
    books = [Whim(rng, "ledger"), Whim(rng, "tracker")]
    cap = BudgetConfig(max_cost_per_session=Decimal(1)) if rng.random() < 0.7 else None
    set_global_tracker(CostTracker(pricing=PRICING, budget=cap, ledger=books[rng.randint(0, 1)]))
    policy = SecurityPolicy(budgets=[Budget("global", "1 USD"), Budget("agent:*", "1 USD", "second")])
    config, cost = AirlockConfig(), Cost.model()
    try:
        yield Gate("tool", policy, config=config, ledger=books[0], cost=cost, nothing_spent_on=()), books
    finally:
        set_global_tracker(None)


def _call() -> Call:
    tags = Tags(model_id="m", input_tokens=1, max_output_tokens=2)
    return Call("tool", (), {}, (), (AirlockContext(agent_id="a"),), tags=tags)


def _drive(flow: Any, cut_at: int) -> Any:
    """Run a flow against its books. ``cut_at``: the step at which it is dropped, as a generator is closed."""
    asked = next(flow)
    for step in range(MOST_STEPS):
        if step == cut_at:
            flow.close()  # raises RuntimeError where the flow goes on
            return None
        book, command = asked
        answer = book.answer(command)
        try:
            asked = flow.throw(answer) if isinstance(answer, BaseException) else flow.send(answer)
        except StopIteration as done:
            return done.value
    raise AssertionError(f"a flow that does not end: {MOST_STEPS} commands")


def _open(books: list[Whim]) -> list[str]:
    """Ids that may stand in a book, and of which it was told nothing more."""
    left = []
    for book in books:
        may_stand: dict[str, bool] = {}
        for command, answer in book.told:
            id = getattr(command, "id", "")
            if isinstance(command, Reserve):
                never = isinstance(
                    answer, Refused | WrongPeriod | PeriodOverlap | Frozen | InUse | Conflict | Forgotten
                )
                never = never or (isinstance(answer, Reserved) and answer.state is State.CLOSED)
                may_stand[id] = not never
            else:
                may_stand[id] = False
        left += [f"{id} in {book.name}" for id, stands in may_stand.items() if stands]
    return left


def _held_by_all(ticket: Ticket) -> bool:
    return all(
        any(
            isinstance(command, Reserve)
            and command.id == plan.id
            and isinstance(answer, Reserved)
            and answer.state is State.HELD
            for command, answer in plan.book.told  # type: ignore[attr-defined]
        )
        for plan in ticket.plans
    )


OUTCOMES: Final[tuple[Outcome, ...]] = (
    Returned({"usage": TokenUsage(1, 1)}),
    Returned("no usage"),
    Raised(NothingSpent()),
    Raised(ConnectionError()),
    Raised(Interrupt()),
)


@pytest.mark.parametrize("cut", [False, True])
def test_a_flow_owes_the_same_to_any_book(cut: bool) -> None:
    ran = blocked = 0
    for seed in range(3_000):
        rng = random.Random(seed)
        with _a_gate(rng) as (gate, books):
            try:
                ticket = _drive(admit(gate, _call()), rng.randint(0, 3) if cut else -1)
            except (AirlockBlocked, Interrupt):
                blocked += 1
                assert _open(books) == [], seed
                continue
            if ticket is None:
                continue  # dropped: its lease ends what is held
            ran += 1
            assert _held_by_all(ticket), seed
            with suppress(Interrupt):
                _drive(close(ticket, rng.choice(OUTCOMES)), rng.randint(0, 3) if cut else -1)
            if not cut:
                assert _open(books) == [], seed
    assert ran > 500
    assert blocked > 500
