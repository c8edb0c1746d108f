"""``airlock prices``: what a model costs, where that is known from, and what is not known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from .answers import Answer, Code, Grid, Line, Piece, remarks
from .loading import environment_file, open_policy
from .terminal import AsJson, WrongUsage, answer, argument, group, option

if TYPE_CHECKING:
    from ..call import TokenUsage
    from ..policy_prices import PolicyPrices
    from ..price_facts import PriceFacts

commands = group("What a model costs, and where that is known from.")

_USAGE: Final = ("input", "output", "cache_read", "cache_write", "cache_write_1h")


@commands.command()
def show(
    model: Annotated[str, argument(metavar="MODEL", help="The model's id, or an alias of the policy's.")],
    usage: Annotated[
        str | None,
        option("--usage", help=f"What that many tokens cost: input=1200,output=300; also {', '.join(_USAGE[2:])}."),
    ] = None,
    policy: Annotated[
        Path | None, option("--policy", help="With the prices and aliases of this airlock.toml; else AIRLOCK_POLICY's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a model's prices and limits.

    With their sources, their date, and what is not known. In --usage, cache_read and cache_write are parts of input,
    and cache_write_1h is a part of cache_write.
    """
    answer(lambda: card(model, usage, policy), as_json=as_json)


def card(model: str, usage: str | None, policy: Path | None) -> Answer:
    """What is known of a model's price, and with ``usage`` what it comes to."""
    from ..price_facts import describe
    from .ages import stale_prices

    tokens = None if usage is None else _tokens(usage)
    file = policy or environment_file()
    own = None if file is None else _own(file)
    facts = describe(model, own)
    data: dict[str, Any] = {"ok": facts["known"], "policy": None if file is None else str(file), **facts}
    if not facts["known"]:
        return Answer(data, tuple(_unknown(facts)), Code.NO)
    if tokens is not None:
        data |= _costs(model, own, tokens)
    stale = None if facts.get("date") is None else stale_prices()
    data["prices_stale"] = stale is not None
    return Answer(data, tuple(_pieces(facts, data)), remarks=remarks(stale))


def _own(file: Path) -> PolicyPrices:
    from ..policy_prices import PolicyPrices

    said = open_policy(file).loaded.policy
    return PolicyPrices(said.prices, said.model_aliases)


# --- usage -----------------------------------------------------------------------------------------------


def _tokens(usage: str) -> TokenUsage:
    from ..call import TokenUsage

    counts: dict[str, int] = {}
    for item in usage.split(","):
        name, equals, count = (part.strip() for part in item.partition("="))
        plain = count.replace("_", "")
        if name not in _USAGE or not equals or not (plain.isascii() and plain.isdigit()) or len(plain) > 16:
            raise WrongUsage(
                f"write counts of tokens by name, such as input=1200,output=300; names are {', '.join(_USAGE)}",
                param_hint="--usage",
            )
        if f"{name}_tokens" in counts:
            raise WrongUsage(f"it names {name} twice", param_hint="--usage")
        counts[f"{name}_tokens"] = int(plain)
    try:
        return TokenUsage(**counts)
    except ValueError as error:
        raise WrongUsage(str(error), param_hint="--usage") from None


def _costs(model: str, own: PolicyPrices | None, usage: TokenUsage) -> dict[str, Any]:
    """Exact USD, as text; ``worst`` is what the gate would hold for a call with this input and output."""
    from ..exceptions import plain
    from ..price_facts import card_of
    from ..rates import Reach

    found = card_of(model, own)
    if found is None:  # it was found a moment before; at midnight a price may end
        return {}
    return {
        "usage": {name: getattr(usage, f"{name}_tokens") for name in _USAGE},
        "cost_usd": plain(found.usd(usage)),
        "worst_case_usd": plain(found.usd(usage, Reach())),
    }


# --- for people ------------------------------------------------------------------------------------------


def _unknown(facts: PriceFacts) -> Iterator[Piece]:
    yield Line(f"no price is known for {facts['asked']}", "bad")
    names = facts.get("names", [])
    if names:
        yield Line(f"a name with a price that may be meant: {', '.join(names)}")
    yield Line("give it one in [prices] of an airlock.toml: input and output, in USD per million tokens")


def _pieces(facts: PriceFacts, data: Mapping[str, Any]) -> Iterator[Piece]:
    maker = facts.get("provider")
    yield Line(f"{facts.get('model')}" + (f" ({maker})" if maker else ""), "strong")
    date = facts.get("date")
    yield Line(f"prices: {facts.get('source')}" + (f", compared on {date}" if date else ""))
    yield Line(f"limits: {_limits(facts)}")
    yield Grid(tuple(_steps(facts)), ("USD per million tokens", *(name.replace("_", " ") for name in _USAGE)))
    if "usage" in data:
        said = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in data["usage"].items() if count)
        yield Line(f"{said or 'no tokens'}: {data['cost_usd']} USD, at worst {data['worst_case_usd']} USD", "strong")
    if facts.get("left_out"):
        yield Line(f"known, and not in these prices: {', '.join(facts.get('left_out', []))}")
    yield Line("not known:")
    for unknown in facts["unknown"]:
        yield Line(f"  - {unknown}")


def _limits(facts: PriceFacts) -> str:
    window, output = facts.get("context_window"), facts.get("max_output_tokens")
    said = [
        f"{window:,} tokens of context" if window is not None else "context not known",
        f"{output:,} of output" if output is not None else "largest output not known",
    ]
    source = facts.get("limits_source")
    return ", ".join(said) + (f" ({source})" if source else "")


def _steps(facts: PriceFacts) -> Iterator[tuple[str, ...]]:
    steps = facts.get("steps", [])
    for step in steps:
        above = step["above_input_tokens"]
        when = f"above {above:,} of input" if above else "" if len(steps) == 1 else "from the first token"
        yield (when, *(step["usd_per_million_tokens"][name] for name in _USAGE))
