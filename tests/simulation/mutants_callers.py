"""Safeguards of callers, switched off: what the gate owes, and a client that sends a message again."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from agent_airlock import gate, quote
from agent_airlock.exceptions import AirlockBudgetExceeded
from agent_airlock.ledger.commands import Reserved, State
from tests.simulation import network
from tests.simulation.mutant import mutant
from tests.simulation.seams import Seams

# --- callers ---------------------------------------------------------------------------------------------


@mutant("faults")
def a_reserve_without_an_answer_is_not_closed(seams: Seams) -> None:
    give_back = gate._give_back

    def only_afterwards(quote: Any, plan: Any) -> Any:
        if isinstance(sys.exc_info()[1], gate.LedgerError):
            return True
        return (yield from give_back(quote, plan))

    seams.put(gate, "_give_back", only_afterwards)


@mutant("quiet", "faults")
def what_one_book_holds_is_kept_when_the_other_refuses(seams: Seams) -> None:
    give_back = gate._give_back

    def not_of_the_first(quote: Any, plan: Any) -> Any:
        if isinstance(sys.exc_info()[1], AirlockBudgetExceeded):
            return True
        return (yield from give_back(quote, plan))

    seams.put(gate, "_give_back", not_of_the_first)


@mutant("quiet", "faults")
def what_cost_nothing_is_not_given_back(seams: Seams) -> None:
    give_back = gate._give_back

    def never(quote: Any, plan: Any) -> Any:
        return True if sys.exc_info()[1] is None else (yield from give_back(quote, plan))

    seams.put(gate, "_give_back", never)


@mutant("faults", "clock")
def an_answer_other_than_held_runs(seams: Seams) -> None:
    reserve = gate._reserve

    def held(quote: Any, plan: Any) -> Any:
        answer = yield from reserve(quote, plan)
        return replace(answer, state=State.HELD) if isinstance(answer, Reserved) else answer

    seams.put(gate, "_reserve", held)


@mutant("quiet", "faults")
def a_forgotten_settle_is_not_charged(seams: Seams) -> None:
    seams.put(gate, "Forgotten", type("Never", (), {}))


@mutant("quiet")
def a_wrong_period_is_not_asked_again(seams: Seams) -> None:
    seams.put(gate, "WrongPeriod", type("Never", (), {}))


@mutant("quiet", "faults")
def only_the_first_book_is_told(seams: Seams) -> None:
    init = gate.Ticket.__init__
    seams.put(gate.Ticket, "__init__", lambda self, quote, plans: init(self, quote, plans[:1]))


@mutant("quiet")
def two_books_are_asked_for_half_each(seams: Seams) -> None:
    plans = quote.Gate.plans
    seams.put(quote.Gate, "plans", lambda self, asked, now_ms: plans(self, asked, now_ms)[:1])


@mutant("faults", focus=("careful", "hesitant"))
def a_refused_copy_is_not_closed(seams: Seams) -> None:
    seams.put(network, "NOTHING_STANDS", ())
