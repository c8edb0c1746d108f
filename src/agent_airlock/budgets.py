"""Budgets, and the one resolver that turns every limit into holds.

``BudgetSet.slots`` and :func:`holds` are the only way from a policy's budgets and rate limits to a ledger; there is no
second path.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

from .budget_index import BudgetIndex
from .call import Call, Estimate
from .caps import amount_of, counted, fraction_of
from .checks.access import matches
from .checks.modes import Mode, check_mode
from .events import log
from .exceptions import AirlockBudgetExceeded, UnpricedCall, ValidationBlocked
from .ledger.accounts import Account, Balance, Hold, Refusal, Unit
from .money import MAX_AMOUNT, nanodollars
from .rate_limits import RateLimit, rate_scope
from .scopes import KINDS, MAX_VALUE_BYTES, ScopePart, encode_scope, is_too_long, parse_scope
from .windows import Window, period_of

Limit = str | Decimal
_CACHED: Final = 4_096


def parse_limit(limit: Limit) -> tuple[Unit, int]:
    """``"5 USD"``, ``"200_000 tokens"``, ``"100 calls"`` or a ``Decimal`` of USD, as a unit and a whole amount.

    Raises:
        ValueError: anything else.
    """
    if isinstance(limit, Decimal):
        return Unit.USD, nanodollars(limit, what="Budget.limit")
    text = limit.strip() if isinstance(limit, str) else ""
    number, _, unit = text.rpartition(" ")
    if unit == "USD":
        return Unit.USD, nanodollars(number.replace("_", ""), what="Budget.limit")
    if unit in ("tokens", "calls", "token", "call"):
        try:
            amount = Decimal(number.replace("_", ""))
        except InvalidOperation:
            amount = Decimal(-1)
        if amount.is_finite() and amount == amount.to_integral_value() and 0 <= amount <= MAX_AMOUNT:
            return Unit(unit.removesuffix("s") + "s"), int(amount)
    raise ValueError(
        f"Budget.limit must be like '5 USD', '200_000 tokens', '100 calls' or a Decimal of USD, not {limit!r}"
    )


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit over a scope in a window.

    Args:
        scope: ``"global"``, or kinds joined by ``+`` (``session agent user team workspace tier tool model``), each
            ``kind:*`` (an account for each value) or ``kind:value``; ``kind:-`` is for calls that have no value. What
            names a value replaces, on its account, what names none.
        limit: ``"5 USD"``, ``"200_000 tokens"``, ``"100 calls"``, or a ``Decimal`` of USD.
        window: ``call second minute hour day month total``. Windows are fixed, not sliding: across a boundary at
            most twice the limit passes.
        zone: where days and months begin. Only ``"UTC"`` for now.
        warn_at: a fraction of the limit, above 0 and up to 1; passing it is told once per account and period.
        mode: ``"observe"`` counts and tells what it would block.

    Raises:
        ValueError: naming the field, the value and what is allowed.
    """

    scope: str
    limit: Limit
    window: str = "total"
    zone: str = "UTC"
    warn_at: float | Decimal | None = None
    mode: Mode = "enforce"
    parts: tuple[ScopePart, ...] = field(init=False, repr=False, compare=False)
    unit: Unit = field(init=False, repr=False, compare=False)
    amount: int = field(init=False, repr=False, compare=False)
    """The limit in nanodollars, tokens or calls."""

    def __post_init__(self) -> None:
        unit, amount = parse_limit(self.limit)
        object.__setattr__(self, "parts", parse_scope(self.scope))
        object.__setattr__(self, "unit", unit)
        object.__setattr__(self, "amount", amount)
        if not isinstance(self.window, str) or self.window not in set(Window):
            raise ValueError(f"Budget.window must be one of {', '.join(Window)}, not {self.window!r}")
        if self.zone != "UTC":
            raise ValueError(f"Budget.zone must be 'UTC', not {self.zone!r}: other zones are not supported yet")
        check_mode(self.mode, "Budget.mode")
        if self.warn_at is not None:
            fraction_of(amount, self.warn_at, "Budget.warn_at")
        if self.window == "call" and self.warn_at is not None:
            raise ValueError(f"Budget.warn_at must be None with window='call', not {self.warn_at!r}: nothing adds up")

    @property
    def warn_amount(self) -> int | None:
        """The amount at which a warning is told."""
        return None if self.warn_at is None else fraction_of(self.amount, self.warn_at, "Budget.warn_at")

    @property
    def named(self) -> int:
        """How many of its parts name a value (or ``-``): what names more replaces what names fewer."""
        return sum(not part.wildcard for part in self.parts)

    def canonical(self) -> list[Any]:
        """The budget as plain values, the same for every way to write it."""
        warn_at = None if self.warn_at is None else str(Decimal(str(self.warn_at)).normalize())
        parts = [[part.kind, part.wildcard, part.value] for part in self.parts]
        return [parts, self.unit.value, self.amount, self.window, self.zone, warn_at, self.mode]


# --- from budgets to holds -------------------------------------------------------------------------------


class Slot(NamedTuple):
    """One account that a call counts in, and what its budget or rate limit says."""

    account: Account
    name: str
    """The budget's scope as it is written, or the rate limit's pattern."""
    amount: int
    """The limit as it is written, also where the account only counts."""
    limit: int | None
    """What travels with the hold; None where it only counts."""
    warn_amount: int | None = None
    is_rate: bool = False

    def would_block(self, estimate: Estimate, total: int | None) -> bool:
        """Whether an enforced budget would have blocked the call: ``total`` is what it would stand at."""
        try:
            amount = amount_of(self.account.unit, estimate)
        except UnpricedCall:
            return True
        return (amount if total is None else total) > self.amount


class Resolved(NamedTuple):
    """The slots of one set of values, and until when their periods last."""

    slots: tuple[Slot, ...]
    until_ms: float


class BudgetSet:
    """The budgets and rate limits of one policy, compiled. Thread-safe: what it caches, it can make again.

    ``observe``: all of them only count.
    """

    def __init__(
        self, budgets: Iterable[Budget], rates: Mapping[str, RateLimit | str] | None = None, *, observe: bool = False
    ) -> None:
        budgets = tuple(budgets)
        for budget in budgets:
            if not isinstance(budget, Budget):
                raise TypeError(f"SecurityPolicy.budgets must be a list of Budget, not {budget!r}")
        self._rates = {pattern: RateLimit.parse(rate) for pattern, rate in (rates or {}).items()}
        self._observe = observe
        self.counts = bool(budgets or self._rates)
        """Whether any call may count in anything."""
        modes = {*(budget.mode for budget in budgets), *(rate.mode for rate in self._rates.values())}
        self.enforces = not observe and "enforce" in modes
        """Whether any of them may block."""
        windows = _merged([budget for budget in budgets if budget.window != "call"])
        per_call = _merged([budget for budget in budgets if budget.window == "call"])
        self._on_ledger = bool(windows or self._rates)
        self._windows, self._per_call = BudgetIndex(windows), BudgetIndex(per_call)
        used = {part.kind for budget in budgets for part in budget.parts}
        if self._rates:
            used |= {"agent", "tool"}
        self.kinds = tuple(kind for kind in KINDS if kind in used)
        self._cache: dict[tuple[str | None, ...], Resolved] = {}
        self._call_cache: dict[tuple[str | None, ...], tuple[Slot, ...]] | None = {} if per_call else None
        self._warned = False

    def values(self, call: Call, tier: str | None, model_id: str | None) -> tuple[str | None, ...]:
        """The call's value of each kind that any budget uses, None where it has none.

        Raises:
            ValidationBlocked: a value is longer than 256 bytes.
        """
        values: list[str | None] = []
        for kind in self.kinds:
            value: str | None
            if kind == "tool":
                value = call.tool
            elif kind == "tier":
                value = tier
            elif kind == "model":
                value = model_id
            else:
                value = call.value(f"{kind}_id")
            if value is not None and is_too_long(value):
                raise ValidationBlocked(
                    f"the call's {kind} is longer than {MAX_VALUE_BYTES} bytes",
                    hints=(f"Name a {kind} of at most {MAX_VALUE_BYTES} bytes.",),
                )
            if not value and kind == "session" and not self._warned:
                self._warned = True
                log(
                    logging.WARNING,
                    "a call of %s names no session and is counted in the account of those that do not; name one with "
                    "AirlockContext(session_id=…)",
                    call.tool,
                )
            if value is not None and type(value) is not str:
                value = str.__str__(value)  # a subclass may say anything of its length, or of what it equals
            values.append(value or None)
        return tuple(values)

    def check_call(self, values: tuple[str | None, ...], estimate: Estimate) -> None:
        """The limits of the ``call`` window: no ledger is asked.

        Raises:
            AirlockBudgetExceeded: the call alone is over one.
        """
        for slot in self._call_slots(values):
            if slot.limit is None:
                continue
            asked = amount_of(slot.account.unit, estimate)
            if asked > slot.limit:
                refusal = Refusal(slot.account, slot.limit, 0, 0, 0, asked, "spent")
                raise AirlockBudgetExceeded(
                    f"its worst case is more than {slot.name!r} allows a call",
                    budget_type=budget_type(slot.account.unit),
                    estimate=estimate,
                    refusal=refusal,
                )

    def observed(self, values: tuple[str | None, ...], estimate: Estimate) -> tuple[Slot, ...]:
        """The slots of the ``call`` window that only observe, and would have blocked this call."""
        if self._call_cache is None:
            return ()
        return tuple(
            slot for slot in self._call_slots(values) if slot.limit is None and slot.would_block(estimate, None)
        )

    def _call_slots(self, values: tuple[str | None, ...]) -> tuple[Slot, ...]:
        cache = self._call_cache
        if cache is None:
            return ()
        slots = cache.get(values)
        if slots is None:
            by_kind = dict(zip(self.kinds, values, strict=True))
            slots = self._budget_slots(self._per_call.matching(by_kind), by_kind, 0)
            if len(cache) >= _CACHED:
                cache.clear()
            cache[values] = slots
        return slots

    def slots(self, values: tuple[str | None, ...], now_ms: int) -> tuple[Slot, ...]:
        """The accounts of the ledger that a call with these values counts in now."""
        if not self._on_ledger:
            return ()
        resolved = self._cache.get(values)
        if resolved is None or now_ms >= resolved.until_ms:
            slots = self._slots(values, now_ms)
            ends = [slot.account.period.end_ms for slot in slots]
            until = min((end for end in ends if end is not None), default=float("inf"))
            resolved = Resolved(slots, until)
            if len(self._cache) >= _CACHED:
                self._cache.clear()
            self._cache[values] = resolved
        elif any(not slot.account.period.contains(now_ms) for slot in resolved.slots):
            return self._slots(values, now_ms)  # the ledger's time is behind: ask as of then
        return resolved.slots

    def _slots(self, values: tuple[str | None, ...], now_ms: int) -> tuple[Slot, ...]:
        by_kind = dict(zip(self.kinds, values, strict=True))
        budgets = self._windows.matching(by_kind)
        return self._rate_slots(by_kind, now_ms) + self._budget_slots(budgets, by_kind, now_ms)

    def _rate_slots(self, by_kind: Mapping[str, str | None], now_ms: int) -> tuple[Slot, ...]:
        return tuple(
            self._slot(rate_scope(pattern, by_kind["agent"]), pattern, rate, rate.calls, now_ms)._replace(is_rate=True)
            for pattern, rate in self._rates.items()
            if matches(by_kind["tool"] or "", pattern)
        )

    def _budget_slots(self, budgets: list[Budget], by_kind: Mapping[str, str | None], now_ms: int) -> tuple[Slot, ...]:
        chosen: dict[str, tuple[Slot, Budget]] = {}
        for budget in budgets:
            scope = encode_scope([(part.kind, by_kind[part.kind]) for part in budget.parts])
            slot = self._slot(scope, budget.scope, budget, budget.amount, now_ms, budget.warn_amount)
            key = slot.account.line
            other = chosen.get(key)
            # A budget that names a value replaces the wildcard's; of two that name as many the lower limit holds.
            if other is None or (-budget.named, budget.amount) < (-other[1].named, other[1].amount):
                chosen[key] = (slot, budget)
        return tuple(slot for slot, _ in chosen.values())

    def _slot(
        self, scope: str, name: str, limit: Budget | RateLimit, amount: int, now_ms: int, mark: int | None = None
    ) -> Slot:
        observes = self._observe or limit.mode == "observe"
        scope = f"observed:{scope}" if observes else scope  # an account that is enforced never shares one that is not
        account = Account(scope, limit.window, limit.unit, period_of(limit.window, now_ms))
        return Slot(account, name, amount, None if observes else amount, mark)


def _merged(budgets: list[Budget]) -> tuple[Budget, ...]:
    """Two budgets of one name and mode count once, at the lower limit, and that is worth a warning."""
    seen: dict[tuple[Any, ...], Budget] = {}
    for budget in budgets:
        key = (budget.parts, budget.unit, budget.window, budget.mode)
        other = seen.get(key)
        if other is not None:
            warnings.warn(
                f"two budgets for {budget.scope!r} a {budget.window} in {budget.unit}: the lower limit holds",
                UserWarning,
                stacklevel=4,
            )
        if other is None or budget.amount < other.amount:
            seen[key] = budget
    return tuple(seen.values())


def holds(slots: tuple[Slot, ...], estimate: Estimate, *, exact: bool) -> tuple[tuple[Hold, ...], tuple[Slot, ...]]:
    """The holds of a call on its slots, and the slots that have one.

    ``exact``: the real cost in USD cannot be other than the estimate. A hold of 0 is then dropped; else it is kept,
    because the real cost may be more, and it meets a freeze.

    Raises:
        UnpricedCall: a slot limits USD or tokens, and how many the call may cost is not known.
    """
    made: list[Hold] = []
    kept: list[Slot] = []
    for slot in slots:
        unit = slot.account.unit
        amount = counted(unit, estimate) if slot.limit is None else amount_of(unit, estimate)
        if amount or not (exact and unit is Unit.USD):
            made.append(Hold(slot.account, amount, slot.limit))
            kept.append(slot)
    return tuple(made), tuple(kept)


def budget_type(unit: Unit) -> str:
    """``"cost"``, ``"tokens"`` or ``"calls"``."""
    return "cost" if unit is Unit.USD else unit.value


def crossed(before: Balance, after: Balance, mark: int) -> bool:
    """Whether what is spent has just passed ``mark``: true once, since every settle is answered once."""
    return before.settled + before.presumed < mark <= after.settled + after.presumed
