"""The ``airlock`` command, put together."""

from __future__ import annotations

from typing import Annotated, Final

from . import budget, policy, prices
from .answers import MEANINGS, Answer, Line, remarks
from .terminal import AsJson, Context, WrongUsage, answer, group, option

_CODES: Final = "\n".join(f"  {code.value}  {meaning}" for code, meaning in MEANINGS.items())

app = group("Ask an airlock.toml, its budgets and the prices.", epilog=f"\b\nExit codes:\n{_CODES}")
app.add_typer(policy.commands, name="policy")
app.add_typer(budget.commands, name="budget")
app.add_typer(prices.commands, name="prices")


@app.callback(invoke_without_command=True)
def root(
    context: Context,
    version: Annotated[bool, option("--version", help="The version, and the date of the prices.")] = False,
    as_json: AsJson = False,
) -> None:
    if version:
        answer(versions, as_json=as_json)
    if context.invoked_subcommand is None:
        raise WrongUsage("name a command, or --version", ctx=context, param_hint="COMMAND")
    if as_json:
        raise WrongUsage("write it after the command", ctx=context, param_hint="--json")


def versions() -> Answer:
    """The package's version, and how old the shipped prices are."""
    from importlib.metadata import version

    from ..price_facts import snapshot_date
    from .ages import age_of_prices, stale_prices

    own, source, day, stale = version("agent-airlock-ledger"), version("genai-prices"), snapshot_date(), stale_prices()
    data = {
        "ok": True,
        "version": own,
        "genai_prices": source,
        "prices_date": day.isoformat(),
        "prices_age_days": age_of_prices(),
        "prices_stale": stale is not None,
    }
    line = Line(f"airlock {own}, prices of {day} (genai-prices {source})")
    return Answer(data, [line], remarks=remarks(stale))


def run() -> None:
    """Read the arguments, and end with an exit code."""
    app(prog_name="airlock")
