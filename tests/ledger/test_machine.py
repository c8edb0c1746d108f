"""Any order of commands, clock steps and repeats, on every ledger, against the model of ``model.py``."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from agent_airlock.ledger.accounts import TOTAL, Balance, Hold, Period
from agent_airlock.ledger.commands import (
    Check,
    Entries,
    Forgotten,
    OnExpiry,
    Reserve,
    Reserved,
    Settled,
    State,
)
from agent_airlock.ledger.operations import Close, Resolved
from tests.ledger.clock import START_MS
from tests.ledger.ledgers import LEDGERS, Bench
from tests.ledger.model import Model
from tests.ledger.scenario import say
from tests.ledger.words import account, charge, freeze, lifted, release, reserve, resolve, settle

HOUR_MS: Final = 3_600_000
LIMITS: Final = {"a": 10, "b": 3, "hourly": 10, "counted": None}
COUNTS: Final = {"settled": ("settled", "resolved"), "presumed": ("presumed",), "held": ("held",)}
CAUSES: Final = ("above_hold", "late", "forced", "charged")

some_ids = st.integers(0, 7)
some_nonces = st.sampled_from(["me", "me", "me", "other"])
some_amounts = st.sampled_from([0, 1, 2, 3, 4, 9, 10, 11])
some_asked = st.lists(
    st.tuples(st.sampled_from(sorted(LIMITS)), some_amounts),
    min_size=1,
    max_size=3,
    unique_by=lambda asked: asked[0],
)
some_scopes = st.sampled_from(sorted(LIMITS))
some_endings: st.SearchStrategy[OnExpiry] = st.sampled_from(["presume", "presume", "release"])
some_leases = st.sampled_from([0, 1_000, 60_000, 10 * HOUR_MS])
some_steps = st.sampled_from([-HOUR_MS, -1, 1, 999, 1_000, 60_000, HOUR_MS - 1, HOUR_MS])


class Machine(RuleBasedStateMachine):
    """Few ids, reused on purpose; amounts at their limits and one beside them."""

    ledger = "memory"
    max_ended = 100_000

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.bench = Bench(self.ledger, self.runner, max_ended=self.max_ended)
        self.model = Model(START_MS)
        self.sent: list[Any] = []
        self.forgotten: set[str] = set()
        self.most_raised: dict[str, int] = {}

    def id(self, number: int) -> str:
        """Where a ledger forgets, the ids move on with what it has seen; the others are reused for ever."""
        forgets = self.max_ended < 100
        return f"r{number + (len(self.model.rows) * 3 // 4 if forgets else 0):04}"

    def holds(self, asked: list[tuple[str, int]], *, hours_ago: int = 0) -> tuple[Hold, ...]:
        start = self.bench.book.now_ms() // HOUR_MS * HOUR_MS - hours_ago * HOUR_MS
        hour = Period(start, start + HOUR_MS)
        return tuple(
            Hold(
                account(scope, *(("hour", hour) if scope == "hourly" else ("total", TOTAL))),
                amount,
                LIMITS[scope],
            )
            for scope, amount in asked
        )

    @rule(
        number=some_ids,
        nonce=some_nonces,
        asked=some_asked,
        lease=some_leases,
        late=st.sampled_from([0] * 9 + [1]),
        ending=some_endings,
    )
    def reserve(
        self, number: int, nonce: str, asked: list[tuple[str, int]], lease: int, late: int, ending: OnExpiry
    ) -> None:
        holds = self.holds(asked, hours_ago=late)
        self.send(reserve(self.id(number), *holds, nonce=nonce, lease_ms=lease, on_expiry=ending))

    @rule(number=some_ids, asked=some_asked, actual=some_amounts)
    def settle(self, number: int, asked: list[tuple[str, int]], actual: int) -> None:
        self.send(settle(self.id(number), *self.holds(asked), actual=actual))

    @rule(number=some_ids, asked=some_asked, actual=some_amounts)
    def charge(self, number: int, asked: list[tuple[str, int]], actual: int) -> None:
        self.send(charge(self.id(number), *self.holds(asked), actual=actual))

    @rule(number=some_ids, nonce=some_nonces)
    def release(self, number: int, nonce: str) -> None:
        self.send(release(self.id(number), nonce))

    @rule(number=some_ids, actual=some_amounts)
    def resolve(self, number: int, actual: int) -> None:
        self.send(resolve(self.id(number), actual))

    @rule(scope=some_scopes, amount=some_amounts, lasts=st.sampled_from([None, 0, 1, 60_000, HOUR_MS]))
    def lift(self, scope: str, amount: int, lasts: int | None) -> None:
        """An operator raises a line."""
        (hold,) = self.holds([(scope, 0)])
        until = None if lasts is None else self.bench.book.now_ms() + lasts
        self.bench.apply(lifted(hold.account.line, amount, until))
        self.model.raised[hold.account.line] = amount, until
        self.most_raised[scope] = max(self.most_raised.get(scope, 0), amount)

    @rule(scope=some_scopes, frozen=st.sampled_from([False, False, True]))
    def freeze(self, scope: str, frozen: bool) -> None:
        (hold,) = self.holds([(scope, 0)])
        self.bench.apply(freeze(hold.account.line, frozen=frozen))
        (self.model.frozen.add if frozen else self.model.frozen.discard)(hold.account.line)

    @rule(yes=st.sampled_from([False] * 9 + [True]))
    def close(self, yes: bool) -> None:
        """This hour's account, now and then; the next hour has another."""
        (hold,) = self.holds([("hourly", 0)])
        if yes:
            self.bench.apply(Close(hold.account))
            self.model.closed[hold.account.id] = hold.account

    @rule(which=st.integers(0, 10))
    def send_again(self, which: int) -> None:
        """The identical message: lost answers are asked for once more, at any time later."""
        if self.sent:
            self.send(self.sent[-1 - which % len(self.sent)])

    @rule(step=some_steps)
    def tick(self, step: int) -> None:
        self.bench.clock.ms += step

    def send(self, command: Any) -> None:
        self.sent.append(command)
        self.model.see(self.bench.clock.ms)
        answer = self.bench.apply(command)
        if isinstance(answer, Forgotten) or (isinstance(answer, Resolved) and answer.state is State.FORGOTTEN):
            self.may_be_forgotten(command.id)
            return
        assert command.id not in self.forgotten, "forgotten, and known again"
        known = command.id in self.model.rows
        assert say(answer) == self.model.answer(command)
        after = self.bench.balances()
        if isinstance(answer, Reserved) and answer.state is State.HELD and not known:
            self.granted(command, answer)
        if isinstance(answer, Settled):
            assert answer.after == tuple(after[balance.account.id] for balance in answer.after)

    def may_be_forgotten(self, id: str) -> None:
        """Only where a ledger keeps few; never an open id; never an id newer than all that ended."""
        assert self.max_ended < 100
        row = self.model.rows.get(id)
        ended = [known for known, row in self.model.rows.items() if row.state != "held"]
        assert row.state != "held" if row is not None else id < max(ended)
        self.forgotten.add(id)

    def granted(self, command: Reserve, answer: Reserved) -> None:
        """Rule 1, as a step: the total and what was asked for fit the limit at the moment of the grant."""
        assert [balance.account for balance in answer.after] == [hold.account for hold in command.holds]
        for hold, balance in zip(command.holds, answer.after, strict=True):
            limit = self.model.limit(hold)
            assert limit is None or balance.total <= limit
            assert balance.held >= hold.amount

    @invariant()
    def the_ledger_agrees_with_the_model(self) -> None:
        self.model.see(self.bench.clock.ms)
        balances = self.bench.balances()
        self.totals_are_the_sum_of_the_rows(balances)
        self.what_was_billed_is_booked()
        for balance in balances.values():  # rule 1, as a state
            scope = balance.account.scope
            limit = LIMITS[scope]
            assert limit is None or balance.total <= limit + self.most_raised.get(scope, 0) + balance.overrun
        assert self.bench.apply(Check()).problems == ()

    def totals_are_the_sum_of_the_rows(self, balances: dict[str, Balance]) -> None:
        known = self.model.accounts()
        assert balances.keys() <= known.keys(), "an account that nothing was booked on"
        for id, one in known.items():
            balance = balances.get(id) or Balance(one)
            for count, states in COUNTS.items():
                assert getattr(balance, count) == self.model.total(one, *states), (id, count)
            assert (balance.shut == "closed") == (id in self.model.closed)
            for cause in CAUSES:
                assert getattr(balance.overruns, cause) == self.model.overruns[id, cause], (id, cause)

    def what_was_billed_is_booked(self) -> None:
        """Rule 4: for each id at least what the provider's bill says; here, exactly that."""
        page = self.bench.apply(Entries(limit=10_000))
        booked = {entry.id: entry.booked for entry in page.entries if entry.state is State.SETTLED}
        for id, billed in self.model.billed.items():
            if id in booked:
                assert set(booked[id]) == {billed}
            else:
                assert self.max_ended < 100, f"{id} was billed, and is not booked"

    def teardown(self) -> None:
        try:
            self.bench.audit()
        finally:
            self.runner.close()


def _run(ledger: str, max_ended: int, tries: int) -> None:
    kind = type("Kind", (Machine,), {"ledger": ledger, "max_ended": max_ended})
    run_state_machine_as_test(
        kind, settings=settings(max_examples=tries, stateful_step_count=40, report_multiple_bugs=False)
    )


@pytest.mark.parametrize("max_ended", [100_000, 5])
@pytest.mark.parametrize("ledger", LEDGERS)
def test_rules_1_to_5_hold_after_every_command(ledger: str, max_ended: int) -> None:
    _run(ledger, max_ended, 100 if ledger == "memory" else 25)


@pytest.mark.long
@pytest.mark.parametrize("max_ended", [100_000, 5])
@pytest.mark.parametrize("ledger", LEDGERS)
def test_rules_1_to_5_hold_after_every_command_of_long_lives(ledger: str, max_ended: int) -> None:
    _run(ledger, max_ended, 2_500)
