"""The exceptions, by who is to blame.

::

    AirlockError (RuntimeError)
    ├── the caller's mistake, raised where it is made
    │   ├── UnknownTierError          a tier label that the budget does not know
    │   ├── UnknownModelError         a model whose price is not known
    │   ├── PolicyFileError           a file that is no policy
    │   ├── PolicyMutationError       a frozen policy was changed, or is not what its digest says
    │   └── TicketUsedError           a ticket was closed twice
    ├── AirlockBlocked                the gate's answer to a call that may not run; has .response
    │   ├── GhostArgumentsBlocked     an argument that the function does not have
    │   ├── ValidationBlocked         an argument of the wrong type, or a tag that means nothing
    │   ├── PolicyViolation           not allowed: tool, role, agent, hour, unknown tier
    │   ├── RateLimitExceeded         too many calls of this agent in this window
    │   ├── CapabilityDenied          the function needs a capability that is not granted
    │   ├── PathViolation             a path that leads, or may lead, out of what is allowed
    │   ├── EndpointBlocked           a URL that leads, or may lead, where it may not
    │   ├── LedgerUnavailableBlocked  the ledger did not answer, so nothing may be spent
    │   └── BudgetExceededError
    │       ├── UnpricedCall          its cost cannot be known before it runs
    │       └── AirlockBudgetExceeded the worst case does not fit a tier or an account
    └── LedgerError                   the world: what the ledger stands on
        ├── LedgerUnavailable         it cannot answer here and now
        │   └── ClockJump             its clock is ahead of what can be; an operator says what time it is
        ├── LedgerWentBack            it answered from before what it had answered: a restore, a failover
        └── LedgerCorrupt             a rule of the money does not hold

    NothingSpent (Exception)          what a tool raises when its call cost nothing

``AirlockError`` is a ``RuntimeError`` because agent frameworks retry a bare ``Exception`` and let that through.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from .call import Estimate
    from .ledger.accounts import Refusal
    from .self_heal import AirlockResponse
    from .tiers import TierBudget


class BlockReason(StrEnum):
    """Why a call was blocked; the ``block_reason`` of a response."""

    VALIDATION_ERROR = "validation_error"
    GHOST_ARGUMENTS = "ghost_arguments"
    POLICY_VIOLATION = "policy_violation"
    RATE_LIMIT = "rate_limit"
    CAPABILITY_DENIED = "capability_denied"
    PATH_VIOLATION = "path_violation"
    ENDPOINT_BLOCKED = "endpoint_blocked"
    BUDGET_EXCEEDED = "budget_exceeded"
    LEDGER_UNAVAILABLE = "ledger_unavailable"


def plain(amount: Decimal) -> str:
    """An amount without exponent or trailing zeros, whatever the thread's decimal context is."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class AirlockError(RuntimeError):
    """Everything that this package raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        # The default calls the class with its positional args, which fails for keyword-only parameters;
        # blocks travel between processes (multiprocessing, Ray), so they pickle by state instead.
        return _rebuild, (type(self), self.args), self.__dict__


def _rebuild(kind: type[AirlockError], args: tuple[Any, ...]) -> AirlockError:
    return kind.__new__(kind, *args)


class UnknownTierError(AirlockError, ValueError):
    """A tier label that the budget does not know."""

    def __init__(self, label: object, known: tuple[str, ...]) -> None:
        shown = repr(label[:80]) if isinstance(label, str) else f"of type {type(label).__name__}"
        super().__init__(f"unknown tier {shown}; known tiers: {', '.join(known)}")
        self.label = label
        self.known = known


class UnknownModelError(AirlockError, LookupError):
    """A model whose price is not known."""

    def __init__(self, model_id: str) -> None:
        super().__init__(f"no price is known for the model {model_id[:200]!r}")
        self.model_id = model_id


class PolicyFileError(AirlockError, ValueError):
    """A file that is no policy. ``problems`` say what is wrong, each with its key's path or its line."""

    def __init__(self, path: str, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(f"{path}: {problem}" for problem in problems))
        self.path = path
        self.problems = problems


class PolicyMutationError(AirlockError):
    """A frozen policy was changed, or is not what its digest says."""


class TicketUsedError(AirlockError):
    """A ticket was closed twice. It is used once."""


class AirlockBlocked(AirlockError):
    """The call may not run. ``message`` says what, why, and what would pass."""

    reason: BlockReason = BlockReason.POLICY_VIOLATION
    _response: AirlockResponse | None = None

    def __init__(self, message: str, *, hints: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hints = hints
        """What would pass, for the model that made the call."""

    @property
    def response(self) -> AirlockResponse:
        """The answer that a model reads.

        Raises:
            AttributeError: the block did not come out of a gate; ``self_heal.respond(tool, block)`` writes one.
        """
        if self._response is None:
            raise AttributeError("only a gate gives a block its response; see agent_airlock.self_heal.respond")
        return self._response

    @response.setter
    def response(self, response: AirlockResponse) -> None:
        self._response = response
        if response.error is not None:
            self.args = (response.error,)  # what a log, or a framework, shows of it

    def to_block_metadata(self) -> dict[str, Any]:
        """The block's facts, as plain values."""
        return {}


class GhostArgumentsBlocked(AirlockBlocked):
    """The call has arguments that the function does not."""

    reason = BlockReason.GHOST_ARGUMENTS

    def __init__(self, message: str, *, ghosts: tuple[str, ...], hints: tuple[str, ...] = ()) -> None:
        super().__init__(message, hints=hints)
        self.ghosts = ghosts

    def to_block_metadata(self) -> dict[str, Any]:
        return {"ghost_arguments": list(self.ghosts)}


class ValidationBlocked(AirlockBlocked):
    """An argument, or a tag, is not what its type says. The values themselves are never repeated."""

    reason = BlockReason.VALIDATION_ERROR

    def __init__(
        self, message: str, *, errors: tuple[Mapping[str, str], ...] = (), hints: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, hints=hints)
        self.errors = errors

    def to_block_metadata(self) -> dict[str, Any]:
        return {"errors": [dict(error) for error in self.errors]} if self.errors else {}


class PolicyViolation(AirlockBlocked):
    """The policy does not allow this call."""

    reason = BlockReason.POLICY_VIOLATION


class RateLimitExceeded(AirlockBlocked):
    """The agent has made as many calls as its rate allows in this window. ``refusal`` is what the ledger said."""

    reason = BlockReason.RATE_LIMIT

    def __init__(self, message: str, *, pattern: str, refusal: Refusal, hints: tuple[str, ...] = ()) -> None:
        super().__init__(message, hints=hints)
        self.pattern = pattern
        self.refusal = refusal


class CapabilityDenied(AirlockBlocked):
    """The function needs capabilities that the policy does not grant. ``missing`` are their names."""

    reason = BlockReason.CAPABILITY_DENIED

    def __init__(self, message: str, *, missing: tuple[str, ...], hints: tuple[str, ...] = ()) -> None:
        super().__init__(message, hints=hints)
        self.missing = missing

    def to_block_metadata(self) -> dict[str, Any]:
        return {"missing": list(self.missing)}


class _PlaceBlocked(AirlockBlocked):
    """``argument`` says where in the arguments it stands, ``rule`` which rule it breaks. Its value is not repeated."""

    def __init__(self, message: str, *, argument: str, rule: str, hints: tuple[str, ...] = ()) -> None:
        super().__init__(message, hints=hints)
        self.argument = argument
        self.rule = rule

    def to_block_metadata(self) -> dict[str, Any]:
        return {"argument": self.argument, "rule": self.rule}


class PathViolation(_PlaceBlocked):
    """A path in the arguments leads, or may lead, out of what the policy allows."""

    reason = BlockReason.PATH_VIOLATION


class EndpointBlocked(_PlaceBlocked):
    """A URL in the arguments leads, or may lead, where the policy does not allow."""

    reason = BlockReason.ENDPOINT_BLOCKED


class LedgerUnavailableBlocked(AirlockBlocked):
    """The ledger did not answer, or not with a grant: nothing may be spent."""

    reason = BlockReason.LEDGER_UNAVAILABLE


class BudgetExceededError(AirlockBlocked):
    """The call's worst case does not fit a budget."""

    reason = BlockReason.BUDGET_EXCEEDED


class UnpricedCall(BudgetExceededError):
    """Its cost cannot be known before it runs, and something limits its cost: refused, not guessed."""

    def to_block_metadata(self) -> dict[str, Any]:
        names = ("tier", "cap", "estimated_cost_cents", "estimated_cost_usd", "estimated_output_tokens", "model_id")
        return {**dict.fromkeys(names), "budget_type": "cost"}


class AirlockBudgetExceeded(BudgetExceededError):
    """The call's worst case does not fit its tier, or one of its accounts.

    Attributes:
        tier: the tier's label; None where no tier budget is in force.
        cap: the tier's caps; None where an account refused.
        estimated_cost_cents: whole US cents, rounded up, so that no block reads "2 is over 2".
        estimated_cost_usd: exact USD; None where the cost is unknown.
        estimated_output_tokens: tokens.
        budget_type: ``"cost"``, ``"tokens"`` or ``"calls"``.
        model_id: the model that was priced, or None.
        refusal: what the ledger said; complete here, and told to a model only as far as it may know.
    """

    def __init__(
        self,
        message: str,
        *,
        budget_type: str,
        estimate: Estimate,
        cap: TierBudget | None = None,
        refusal: Refusal | None = None,
        hints: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, hints=hints)
        self.tier: str | None = estimate.tier
        self.cap = cap
        self.estimated_cost_cents: int | None = estimate.cents_up()
        self.estimated_cost_usd: Decimal | None = estimate.usd
        self.estimated_output_tokens: int = estimate.output_tokens
        self.budget_type = budget_type
        self.model_id: str | None = estimate.model_id
        self.refusal = refusal

    def to_block_metadata(self) -> dict[str, Any]:
        """The block's facts as plain values; ``cap`` is nested."""
        cap = self.cap
        return {
            "tier": self.tier,
            "cap": cap and {"max_cost_cents": cap.max_cost_cents, "max_output_tokens": cap.max_output_tokens},
            "estimated_cost_cents": self.estimated_cost_cents,
            "estimated_cost_usd": None if self.estimated_cost_usd is None else plain(self.estimated_cost_usd),
            "estimated_output_tokens": self.estimated_output_tokens,
            "budget_type": self.budget_type,
            "model_id": self.model_id,
        }


class LedgerError(AirlockError):
    """What the ledger stands on failed."""


class LedgerUnavailable(LedgerError):
    """The ledger cannot answer here and now."""


class ClockJump(LedgerUnavailable):
    """The wall clock is ``leap_ms`` ahead of what the boot clock explains: nothing is granted until it is put right.

    To believe it would end every lease, and open the money of periods to come.
    """

    def __init__(self, leap_ms: int) -> None:
        super().__init__(
            f"the clock is {leap_ms / 1000:,.0f} s ahead of what can be: set it right, or tell the ledger that it is "
            "right (`airlock ledger clock --accept`) or what time it is (`--set`)"
        )
        self.leap_ms = leap_ms


class LedgerWentBack(LedgerError):
    """An answer came from before what the ledger had answered: it was restored, or another took its place.

    What was held and spent in between is not known to it, so nothing may be spent.
    """


class LedgerCorrupt(LedgerError):
    """A rule of the money does not hold in what the ledger read or was about to write."""


class NothingSpent(Exception):
    """A gated tool raises this to say that its call cost nothing: the hold is given back."""
