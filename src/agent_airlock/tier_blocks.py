"""Why a call does not fit its tier, and what would: the blocks of a tier budget."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Final

from .call import Estimate, TokenUsage
from .exceptions import AirlockBudgetExceeded, plain
from .money import usd_from_nano

if TYPE_CHECKING:
    from .cost import Pricer
    from .rates import Reach
    from .tiers import TierBudget

_EXACT: Final = Context(prec=60)
_SHARES: Final = 1_000
_NO_CALL_FITS: Final = "No call fits this tier at this model's prices: ask the operator for another tier or model."


def too_many_tokens(
    estimate: Estimate, cap: TierBudget, hints: tuple[str, ...], others: list[str]
) -> AirlockBudgetExceeded:
    """A call that asks for more output than its tier allows."""
    return AirlockBudgetExceeded(
        f"it asks for {estimate.output_tokens} output tokens, and tier {estimate.tier!r} allows "
        f"{cap.max_output_tokens}",
        budget_type="tokens",
        estimate=estimate,
        cap=cap,
        hints=(*hints, *_other_tiers(others)) or (_NO_CALL_FITS,),
    )


def declared_too_dear(estimate: Estimate, cap: TierBudget, others: list[str]) -> AirlockBudgetExceeded:
    """A call whose declared price is over its tier's cost cap."""
    return AirlockBudgetExceeded(
        f"it costs {_cents(estimate.usd)} cents, and tier {estimate.tier!r} allows {cap.max_cost_cents}",
        budget_type="cost",
        estimate=estimate,
        cap=cap,
        hints=(f"A call of tier {estimate.tier!r} may cost at most {cap.max_cost_cents} cents.", *_other_tiers(others)),
    )


def too_dear(estimate: Estimate, cap: TierBudget, hints: tuple[str, ...], others: list[str]) -> AirlockBudgetExceeded:
    """A call whose worst case is over its tier's cost cap."""
    return AirlockBudgetExceeded(
        f"its worst case is {_cents(estimate.usd)} cents ({estimate.input_tokens} input and up to "
        f"{estimate.output_tokens} output tokens), and tier {estimate.tier!r} allows {cap.max_cost_cents}",
        budget_type="cost",
        estimate=estimate,
        cap=cap,
        hints=(*hints, *_other_tiers(others)) or (_NO_CALL_FITS,),
    )


def token_hints(estimate: Estimate, cap: TierBudget, pricer: Pricer, reach: Reach) -> tuple[str, ...]:
    """How many tokens would fit: a call that follows one of these is admitted."""
    most_nano = cap.max_cost_nano
    limit = None if most_nano is None else usd_from_nano(most_nano)
    spoken = estimate.bound == "worst_case"
    most_output = estimate.output_tokens
    if cap.max_output_tokens is not None:
        most_output = min(most_output, cap.max_output_tokens)

    def fits(input_tokens: int, output_tokens: int) -> bool:
        if limit is None or estimate.usd is None:
            return True  # nothing limits its cost, or nobody knows it: only the output is too much
        usage = TokenUsage(input_tokens, output_tokens)
        return pricer.calculate_cost(usage, estimate.model_id, reach=reach) <= limit

    hints: list[str] = []
    output = _most(most_output, lambda tokens: fits(estimate.input_tokens, tokens))
    if output and spoken:
        hints.append(at_most(output))
    if not fits(estimate.input_tokens, most_output):
        prompt = _most(estimate.input_tokens, lambda tokens: fits(tokens, most_output))
        if prompt:
            hints.append(
                f"With an output limit of {most_output}, at most {prompt} input tokens fit: shorten the input."
                if spoken
                else f"At most {prompt} input tokens fit: shorten the input."
            )
    if not hints:
        # Neither alone is enough: both in proportion.
        share = _most(_SHARES, lambda part: fits(*_part_of(estimate.input_tokens, most_output, part)))
        both = _part_of(estimate.input_tokens, most_output, share)
        if all(both):
            hints.append(f"At most {both[0]} input tokens fit together with an output limit of {both[1]}.")
    return tuple(hints)


def _part_of(input_tokens: int, output_tokens: int, part: int) -> tuple[int, int]:
    return input_tokens * part // _SHARES, output_tokens * part // _SHARES


def at_most(output: int | None) -> str:
    return f"With this input, at most {output} output tokens fit: set a lower output limit."


def _most(upper: int, fits: Callable[[int], bool]) -> int:
    """The largest count up to ``upper`` that fits, 0 if none does. (The cost only rises with the count.)"""
    low, high = 0, upper
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _cents(usd: Decimal | None) -> str:
    return "an unknown number of" if usd is None else plain(usd.scaleb(2, _EXACT))


def _other_tiers(labels: list[str]) -> tuple[str, ...]:
    if not labels:
        return ()
    return (f"As it is, it would fit tier {' or '.join(repr(label) for label in labels)}.",)
