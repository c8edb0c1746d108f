"""Ledgers that break a rule, each in one way, and the test of the conformance suite that catches it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any, ClassVar, Final, Literal

from agent_airlock.ledger.accounts import Balance, Hold, Unit
from agent_airlock.ledger.commands import (
    Balances,
    Charge,
    Conflict,
    Forgotten,
    Frozen,
    InUse,
    Refused,
    Release,
    Reserve,
    Reserved,
    Settle,
    Settled,
    State,
    WrongPeriod,
)
from agent_airlock.ledger.memory import MemoryLedger
from agent_airlock.ledger.operations import Freeze, Raise, Resolve
from agent_airlock.money import MAX_AMOUNT
from agent_airlock.testing.clock import Clock


class Broken:
    """A memory ledger, until a subclass breaks it."""

    is_async: ClassVar[Literal[False]] = False

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.inner = MemoryLedger(clock=clock)

    def now_ms(self) -> int:
        return self.inner.now_ms()

    def apply(self, command: Any, /) -> Any:
        return self.inner.apply(command)


class Changing(Broken):
    """What is sent is changed on the way, where it has the field that is named."""

    kind: ClassVar[type[Any]] = Reserve
    field: ClassVar[str]

    def change(self, value: Any, command: Any) -> Any:
        raise NotImplementedError

    def apply(self, command: Any, /) -> Any:
        if isinstance(command, self.kind) and hasattr(command, self.field):
            value = self.change(getattr(command, self.field), command)
            command = replace(command, **{self.field: value})
        return self.inner.apply(command)


class Answering(Broken):
    """What is answered is changed on the way."""

    def change(self, answer: Any, command: Any) -> Any:
        raise NotImplementedError

    def apply(self, command: Any, /) -> Any:
        return self.change(self.inner.apply(command), command)


BROKEN: Final[list[tuple[Callable[[Clock], Any], str]]] = []


def caught_by(test: str) -> Callable[[type[Any]], type[Any]]:
    def register(kind: type[Any]) -> type[Any]:
        BROKEN.append((kind, test))
        return kind

    return register


@caught_by("test_money_1_the_limit_is_granted_and_one_more_is_refused")
class GrantsOneTooMany(Changing):
    field = "holds"

    def change(self, value: Any, command: Any) -> Any:
        return tuple(replace(hold, limit=None if hold.limit is None else hold.limit + 1) for hold in value)


@caught_by("test_money_1_an_overrun_opens_no_room")
class TakesOverrunForRoom(Changing):
    field = "holds"

    def change(self, value: Any, command: Any) -> Any:
        overrun = {balance.account.id: balance.overrun for balance in self.inner.apply(Balances())}
        return tuple(
            replace(hold, limit=None if hold.limit is None else hold.limit + overrun.get(hold.account.id, 0))
            for hold in value
        )


@caught_by("test_money_2_all_holds_are_made_or_none")
class HoldsBeforeItLooksAtTheNext(Answering):
    def change(self, answer: Any, command: Any) -> Any:
        if isinstance(answer, Refused) and command.holds[0].account != answer.refusal.account:
            self.inner.apply(Charge(f"{command.id} first", command.holds[:1], {}, command.labels))
        return answer


@caught_by("test_money_3_another_caller_neither_gets_nor_ends_an_id")
@caught_by("test_money_3_of_callers_that_race_for_an_id_one_has_it")
@caught_by("test_money_4_the_table_of_a_held_id")
class KnowsNoOwner(Changing):
    kind = object
    field = "nonce"

    def change(self, value: Any, command: Any) -> Any:
        return "anybody"


@caught_by("test_money_3_a_verb_that_is_sent_again_moves_nothing")
@caught_by("test_money_3_one_id_that_all_send_is_one_reservation_and_is_settled_once")
class BooksARepeatedSettleAgain(Answering):
    def change(self, answer: Any, command: Any) -> Any:
        if isinstance(answer, Settled) and answer.repeated:
            holds = [replace(hold, limit=None) for hold in command.holds]
            self.inner.apply(
                Charge(f"{command.id} again", tuple(holds) or _holds(answer), command.actual, command.labels)
            )
        return answer


def _holds(answer: Settled) -> Any:

    return tuple(Hold(balance.account, 1, None) for balance in answer.after)


@caught_by("test_money_3_a_reserve_that_comes_after_its_release_holds_nothing")
@caught_by("test_money_4_the_table_of_a_closed_id")
class ClosesNothing(Broken):
    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.known: set[str] = set()
        self.numbers = count()

    def apply(self, command: Any, /) -> Any:
        if isinstance(command, Release) and command.id not in self.known:
            return self.inner.apply(replace(command, id=f"{command.id} {next(self.numbers)}"))
        if hasattr(command, "id"):
            self.known.add(command.id)
        return self.inner.apply(command)


@caught_by("test_money_4_real_money_is_booked_on_all_accounts_of_an_id_that_is_not_known")
@caught_by("test_money_4_the_table_of_a_released_id")
class LosesMoneyThatNothingWasHeldFor(Broken):
    def apply(self, command: Any, /) -> Any:
        if isinstance(command, Settle):
            held = {id for id, row in self.inner._store.rows.items() if row.state is not State.RELEASED}
            if command.id not in held:
                return Forgotten(self.inner.apply(Balances("nobody")).stamp)
        return self.inner.apply(command)


@caught_by("test_money_5_a_settle_books_the_real_cost_and_what_is_above_the_hold_is_overrun")
class BooksNoMoreThanTheHold(Changing):
    kind = Settle
    field = "actual"

    def change(self, value: Any, command: Any) -> Any:
        holds = {hold.account.unit: hold.amount for hold in command.holds}
        return {unit: min(amount, holds.get(unit, amount)) for unit, amount in value.items()}


@caught_by("test_money_5_a_unit_of_which_nothing_is_said_is_booked_at_its_hold")
class BooksNothingWhereNothingIsSaid(Changing):
    kind = Settle
    field = "actual"

    def change(self, value: Any, command: Any) -> Any:
        return {**dict.fromkeys(Unit, 0), **value}


@caught_by("test_money_5_overruns_are_kept_by_cause")
@caught_by("test_money_4_the_table_of_an_unknown_id")
class KnowsNoCharges(Broken):
    def apply(self, command: Any, /) -> Any:
        if isinstance(command, Charge):
            command = Settle(command.id, command.holds, command.actual, command.labels)
        return self.inner.apply(command)


@caught_by("test_money_5_a_settle_answers_the_balances_before_and_after")
class AnswersTheBalancesAfterTwice(Answering):
    def change(self, answer: Any, command: Any) -> Any:
        return replace(answer, before=answer.after) if isinstance(answer, Settled) else answer


@caught_by("test_money_7_a_hold_is_presumed_at_its_leases_end_and_not_before")
class EndsLeasesAMillisecondLate(Changing):
    field = "lease_ms"

    def change(self, value: Any, command: Any) -> Any:
        return value + 1


@caught_by("test_money_7_its_caller_releases_what_was_presumed_and_no_other_does")
class NeverEndsALease(Changing):
    field = "lease_ms"

    def change(self, value: Any, command: Any) -> Any:
        return 10**15


@caught_by("test_money_7_a_crash_loop_does_not_spend_without_limit")
@caught_by("test_money_4_the_table_of_a_presumed_id")
class GivesBackWhatNobodySettled(Changing):
    field = "on_expiry"

    def change(self, value: Any, command: Any) -> Any:
        return "release"


@caught_by("test_money_7_a_clock_that_runs_back_reopens_nothing")
@caught_by("test_money_7_the_ledgers_time_follows_its_clock_and_never_falls")
class BelievesAClockThatRunsBack(Broken):
    def apply(self, command: Any, /) -> Any:
        self.inner._head.now_ms = self.clock() // 1_000_000
        return self.inner.apply(command)


@caught_by("test_money_1_a_period_holds_its_first_millisecond_and_not_its_end")
@caught_by("test_money_1_a_wrong_period_tells_the_time_and_writes_nothing")
class TakesAnyPeriod(Answering):
    def change(self, answer: Any, command: Any) -> Any:
        return Reserved(State.HELD, answer.stamp) if isinstance(answer, WrongPeriod) else answer


@caught_by("test_money_1_periods_of_a_line_may_not_overlap")
class KnowsNoLines(Answering):
    def change(self, answer: Any, command: Any) -> Any:
        self.inner._store.lines.clear()
        return answer


@caught_by("test_money_3_what_is_said_of_an_id_has_one_order")
class ComparesContentBeforeItAsksWhoItIs(Broken):
    def apply(self, command: Any, /) -> Any:
        answer = self.inner.apply(command)
        if isinstance(answer, InUse) and self.inner._store.rows[command.id].lease_ms != command.lease_ms:
            return Conflict("lease", answer.stamp)
        return answer


@caught_by("test_money_1_what_is_said_of_accounts_has_one_order_whichever_stands_first")
class NamesTheLastThatIsInTheWay(Broken):
    def apply(self, command: Any, /) -> Any:
        if isinstance(command, Reserve):
            for hold in reversed(command.holds):
                answer = self.inner.apply(replace(command, id=f"{command.id} {hold.account.id}", holds=(hold,)))
                if not isinstance(answer, Reserved):
                    return answer
                self.inner.apply(Release(f"{command.id} {hold.account.id}", command.nonce))
        return self.inner.apply(command)


@caught_by("test_money_5_what_would_pass_the_most_that_an_account_counts_saturates_and_freezes_it")
class FreezesNothing(Answering):
    def change(self, answer: Any, command: Any) -> Any:
        return Reserved(State.HELD, answer.stamp) if isinstance(answer, Frozen) else answer


@caught_by("test_money_1_no_limit_lets_an_account_hold_more_than_it_can_count")
class HoldsMoreThanItCanCount(Answering):
    def change(self, answer: Any, command: Any) -> Any:
        fits = isinstance(answer, Refused) and command.holds[0].limit >= command.holds[0].amount > MAX_AMOUNT
        return Reserved(State.HELD, answer.stamp) if fits else answer


@caught_by("test_money_3_an_id_is_remembered_for_a_day_after_its_end")
class ForgetsEarly(Broken):
    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.inner = MemoryLedger(clock=clock, max_ended=5)


@caught_by("test_money_3_each_change_has_a_higher_sequence_number")
class CountsNoChanges(Answering):
    def change(self, answer: Any, command: Any) -> Any:
        return replace(answer, stamp=replace(answer.stamp, seq=0))


@caught_by("test_money_1_a_refused_id_holds_nothing_and_may_ask_again")
class AnswersRefusalsFromTheStart(Answering):
    def change(self, answer: Any, command: Any) -> Any:
        return replace(answer, stamp=replace(answer.stamp, seq=0)) if isinstance(answer, Refused) else answer


@caught_by("test_money_1_of_callers_that_race_exactly_as_many_are_granted_as_fit")
@caught_by("test_money_1_several_accounts_grant_what_fits_the_smallest")
class LooksAndThenHolds(Broken):
    """The balance is read in one step, and the hold is made in another."""

    def apply(self, command: Any, /) -> Any:
        if isinstance(command, Reserve) and _has_room(command, self.inner):
            time.sleep(0)
            command = _without_limits(command)
        return self.inner.apply(command)


@caught_by("test_money_1_of_callers_that_race_exactly_as_many_are_granted_as_fit")
class LooksAndThenHoldsInTasks:
    is_async: ClassVar[Literal[True]] = True

    def __init__(self, clock: Clock) -> None:
        self.inner = MemoryLedger(clock=clock)

    def now_ms(self) -> int:
        return self.inner.now_ms()

    async def apply(self, command: Any, /) -> Any:
        if isinstance(command, Reserve) and _has_room(command, self.inner):
            await asyncio.sleep(0)
            command = _without_limits(command)
        return self.inner.apply(command)


def _has_room(command: Reserve, ledger: MemoryLedger) -> bool:
    balances = {balance.account.id: balance for balance in ledger.apply(Balances())}
    return all(
        hold.limit is None or balances.get(hold.account.id, Balance(hold.account)).total + hold.amount <= hold.limit
        for hold in command.holds
    )


def _without_limits(command: Reserve) -> Reserve:
    return replace(command, holds=tuple(replace(hold, limit=None) for hold in command.holds))


@caught_by("test_money_1_a_frozen_line_takes_no_new_hold_and_lets_open_ones_end")
@caught_by("test_money_1_a_raise_takes_the_place_of_the_one_before")
@caught_by("test_money_4_the_table_of_a_resolved_id")
class DeafToOperators(Broken):
    def apply(self, command: Any, /) -> Any:
        if isinstance(command, (Freeze, Raise)):
            command = replace(command, line="another line")
        elif isinstance(command, Resolve):
            command = replace(command, id="another id")
        return self.inner.apply(command)


@caught_by("test_money_1_to_7_any_order_of_commands_is_answered_as_by_the_memory_ledger")
class LosesTheFifteenthRelease(Broken):
    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.releases = 0

    def apply(self, command: Any, /) -> Any:
        if isinstance(command, Release):
            self.releases += 1
            if self.releases == 15:
                command = replace(command, nonce="nobody")
        return self.inner.apply(command)
