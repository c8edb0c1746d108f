"""A subscription's monthly credit for an agent SDK, counted on a ledger like any budget: ``AgentSDKCreditBudget``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from .call import TokenUsage
from .events import Event, EventKind, tell
from .exceptions import LedgerError, LedgerUnavailable
from .ledger import default_ledger
from .ledger.accounts import Account, Hold, Labels, Unit
from .ledger.commands import (
    A,
    Balances,
    Command,
    Forgotten,
    Ledger,
    Refused,
    Release,
    Released,
    Reserve,
    ReserveAnswer,
    Reserved,
    Settle,
    Settled,
    State,
    WrongPeriod,
)
from .ledger.flow import Flow, ask, drive
from .ledger.ids import IDS
from .money import MAX_AMOUNT, USDLike, format_usd, nano_half_even, nanodollars, usd_from_nano
from .scopes import MAX_VALUE_BYTES, encode_value, is_too_long
from .values import shown
from .windows import period_of

AGENT_SDK_TIER_USD: Final[Mapping[str, Decimal]] = MappingProxyType(
    {"pro": Decimal(20), "max5x": Decimal(100), "max20x": Decimal(200)}
)
"""Plan → USD a month, as Anthropic announced them in May 2026 for 15 June 2026, and put off on that day. Source: its
help page "Use the Claude Agent SDK with your Claude plan" (support.claude.com, article 15036540), as quoted in public
reports of both days. Look up what your plan grants today."""

_TOOL: Final = "agent_sdk"
_LEASE_MS: Final = 600_000
_NEAR_PERCENT: Final = 90


class AgentSDKCreditVerdict(StrEnum):
    """How a call stands to the month's credit."""

    ALLOW = "allow"
    NEAR_LIMIT = "near_limit"
    """It may run, and with it at least 90 % of the credit is spent."""
    EXHAUSTED = "exhausted"
    """It may not run: it costs more than is left, or nobody knows what it costs."""


@dataclass(frozen=True, slots=True)
class AgentSDKCreditDecision:
    """Whether a call may run, and how the month stands after it. All amounts in USD, exact to the nanodollar.

    ``spent_usd`` is all that is booked in this month, with this call where it is allowed; ``remaining_usd`` what is
    left of the credit. ``last_call_usd`` is the price of this call, booked only where it is allowed; 0 where its model
    has no known price. ``detail`` says why, for people.
    """

    allowed: bool
    verdict: AgentSDKCreditVerdict
    spent_usd: Decimal
    remaining_usd: Decimal
    last_call_usd: Decimal
    detail: str


class AgentSDKCreditBudget:
    """A monthly credit in USD, by calendar months in UTC, as ledgers count them; vendors may bill by other months.

    Calls are priced by the shipped rate cards, without caches, rounded half-even to the nanodollar. A call is booked
    in one step with the question whether it fits: of calls that race, no more are allowed than the credit pays for.
    Thread-safe. Two budgets with one account and one ledger count together, and processes do on a ledger they share.

    Args:
        monthly_credit_usd: the credit: ``AGENT_SDK_TIER_USD["pro"]``, or whatever your plan grants.
        tier_label: what reports call the plan.
        ledger: where it is counted; the process's memory unless given one. An ``AsyncLedger`` is refused.
        account: whose credit it is, at most 256 bytes; None for the one that has no name.

    Raises:
        ValueError, TypeError: naming the field, the value and what is allowed.
    """

    def __init__(
        self,
        monthly_credit_usd: USDLike,
        tier_label: str | None = None,
        ledger: Ledger | None = None,
        account: str | None = None,
    ) -> None:
        self._limit: Final = nanodollars(monthly_credit_usd, what="AgentSDKCreditBudget.monthly_credit_usd")
        for name, value in (("tier_label", tier_label), ("account", account)):
            if value is not None and (not isinstance(value, str) or not value or is_too_long(value)):
                raise ValueError(
                    f"AgentSDKCreditBudget.{name} must be a text of at most {MAX_VALUE_BYTES} bytes or None, not "
                    f"{shown(value)}"
                )
        if ledger is not None and getattr(ledger, "is_async", None) is not False:
            raise TypeError(f"AgentSDKCreditBudget.ledger must be a sync ledger or None, not {type(ledger).__name__}")
        self.monthly_credit_usd: Final = usd_from_nano(self._limit)
        self.tier_label: Final = tier_label
        self.account: Final = account
        self._ledger: Final[Ledger] = default_ledger() if ledger is None else ledger
        self._scope: Final = f"sdk_credit:{encode_value(account)}"

    def register_call(self, model: str, input_tokens: int, output_tokens: int) -> AgentSDKCreditDecision:
        """Book a call, if the credit pays for it. One that is not allowed is not booked.

        A model whose price is not known is not allowed.

        Raises:
            ValueError: ``model`` is no model's id, or a count is not a non-negative whole number of tokens.
            LedgerError: the ledger did not answer, or not with a grant. Nothing is booked; where the ledger takes no
                release either, the call is presumed spent 10 minutes later.
        """
        if not isinstance(model, str) or not model:
            raise ValueError(f"register_call takes a model's id, not {shown(model)}")
        usage = TokenUsage(input_tokens, output_tokens)
        from .prices import PriceBook  # the first call needs it, not the package's import

        card = PriceBook.shipped().card(model)
        if card is None:
            return drive(self._unpriced(model))
        return drive(self._book(nano_half_even(card.cost(usage)), Labels(_TOOL, model, self.tier_label)))

    # --- flows -------------------------------------------------------------------------------------------

    def _book(self, nano: int, labels: Labels) -> Flow[AgentSDKCreditDecision]:
        reserve = self._reserve(nano, labels, self._ledger.now_ms())
        answer = yield from self._held(reserve)
        if isinstance(answer, WrongPeriod | Forgotten):
            reserve = self._reserve(nano, labels, answer.stamp.now_ms)
            answer = yield from self._held(reserve)
        if isinstance(answer, Refused):
            refusal = answer.refusal
            return self._refused(nano, refusal.settled + refusal.presumed + refusal.held)
        if not isinstance(answer, Reserved) or answer.state is not State.HELD:
            raise LedgerError(f"the ledger did not book a call: it answered {type(answer).__name__}")
        # What is held is what it costs: whether or not the settle arrives, the month has it from here on.
        settle = Settle(reserve.id, reserve.holds, {Unit.USD: nano}, labels)
        yield from self._close(reserve, settle, "settle")
        return self._allowed(nano, answer.after[0].total)

    def _reserve(self, nano: int, labels: Labels, now_ms: int) -> Reserve:
        account = Account(self._scope, "month", Unit.USD, period_of("month", now_ms))
        hold = Hold(account, min(nano, MAX_AMOUNT), self._limit)
        return Reserve(IDS.make(now_ms), IDS.nonce, (hold,), _LEASE_MS, labels)

    def _held(self, reserve: Reserve) -> Flow[ReserveAnswer]:
        try:
            answer = yield from self._asked(reserve)
            return answer
        except GeneratorExit:
            raise
        except BaseException:
            # Whether it was granted is not known: close the id, so that nothing is held either way.
            yield from self._close(reserve, Release(reserve.id, reserve.nonce), "release")
            raise

    def _asked(self, command: Command[A]) -> Flow[A]:
        try:
            answer = yield from ask(self._ledger, command)
            return answer
        except (GeneratorExit, LedgerError):
            raise
        except Exception as error:
            raise LedgerUnavailable(f"the ledger did not answer ({type(error).__name__})") from error

    def _close(self, reserve: Reserve, command: Release | Settle, verb: str) -> Flow[None]:
        """Where it fails, the lease ends the hold: it is presumed spent."""
        try:
            answer: object = yield self._ledger, command
        except GeneratorExit:
            raise
        except Exception as error:
            answer = error
        if not isinstance(answer, Settled | Released):
            fields = {"verb": verb, "error": type(answer).__name__}
            tell(Event(EventKind.SETTLE_FAILED, _TOOL, reserve.id, fields), None)

    def _unpriced(self, model: str) -> Flow[AgentSDKCreditDecision]:
        now_ms = self._ledger.now_ms()
        balances = yield from self._asked(Balances(self._scope))
        total = sum(balance.total for balance in balances if balance.account.period.contains(now_ms))
        return self._decision(
            AgentSDKCreditVerdict.EXHAUSTED,
            0,
            total,
            f"no price is known for the model {shown(model)}: it is not allowed",
        )

    # --- decisions ---------------------------------------------------------------------------------------

    def _allowed(self, nano: int, total: int) -> AgentSDKCreditDecision:
        near = 100 * total >= _NEAR_PERCENT * self._limit
        spent = f"{format_usd(total)} of {self._credit()} are spent this month"
        if near:
            return self._decision(AgentSDKCreditVerdict.NEAR_LIMIT, nano, total, f"{spent}, {_NEAR_PERCENT} % or more")
        return self._decision(AgentSDKCreditVerdict.ALLOW, nano, total, spent)

    def _refused(self, nano: int, total: int) -> AgentSDKCreditDecision:
        left = format_usd(max(0, self._limit - total))
        detail = f"the call costs {format_usd(nano)}, and {left} of {self._credit()} are left this month"
        return self._decision(AgentSDKCreditVerdict.EXHAUSTED, nano, total, detail)

    def _credit(self) -> str:
        plan = "" if self.tier_label is None else f" ({self.tier_label})"
        return f"{format_usd(self._limit)}{plan}"

    def _decision(self, verdict: AgentSDKCreditVerdict, nano: int, total: int, detail: str) -> AgentSDKCreditDecision:
        return AgentSDKCreditDecision(
            verdict is not AgentSDKCreditVerdict.EXHAUSTED,
            verdict,
            usd_from_nano(total),
            usd_from_nano(max(0, self._limit - total)),
            usd_from_nano(nano),
            detail,
        )
