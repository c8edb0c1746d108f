"""The ``airlock`` command, put together."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Final

from . import budget, policy, prices
from .answers import MEANINGS, Answer, Line
from .terminal import AsJson, Context, WrongUsage, answer, group, option

_CODES: Final = "\n".join(f"  {code.value}  {meaning}" for code, meaning in MEANINGS.items())

app = group("", epilog=f"\b\nExit codes:\n{_CODES}")
app.add_typer(policy.commands, name="policy")
app.add_typer(budget.commands, name="budget")
app.add_typer(prices.commands, name="prices")


@app.callback(invoke_without_command=True)
def root(
    context: Context,
    version: Annotated[bool, option("--version", help="The version, and the date of the prices.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask an airlock.toml, its budgets and the prices."""
    if version:
        answer(lambda: versions(datetime.now(UTC).date()), as_json=as_json)
    if context.invoked_subcommand is None:
        raise WrongUsage("name a command, or --version", ctx=context, param_hint="COMMAND")
    if as_json:
        raise WrongUsage("write it after the command", ctx=context, param_hint="--json")


def versions(today: date) -> Answer:
    """The package's version, and how old the shipped prices are. ``today`` is in UTC."""
    from importlib.metadata import version

    from ..price_facts import is_stale, snapshot_date

    own, source, day = version("agent-airlock-ledger"), version("genai-prices"), snapshot_date()
    stale = is_stale(today)
    data = {
        "ok": True,
        "version": own,
        "genai_prices": source,
        "prices_date": day.isoformat(),
        "prices_age_days": (today - day).days,
        "prices_stale": stale,
    }
    line = Line(f"airlock {own}, prices of {day} (genai-prices {source})")
    return Answer(data, [line], remarks=_stale_remark(today) if stale else ())


def _stale_remark(today: date) -> list[Line]:
    from .advice import stale_prices

    return [Line(f"warning: {stale_prices(today)}", "warning")]


def run() -> None:
    """Read the arguments, and end with an exit code."""
    app(prog_name="airlock")
