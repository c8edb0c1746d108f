"""A run on paper: its options, and what reached its ledger as a text scenario that ``tests/ledger`` can play."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from agent_airlock.ledger.accounts import Account, Amounts, Hold, Period
from agent_airlock.ledger.commands import AnyCommand, Charge, Release, Reserve, Settle
from agent_airlock.ledger.operations import Clock, Close, Compact, Freeze, Raise, Resolve
from tests.ledger.clock import START_MS
from tests.ledger.scenario import say
from tests.simulation.server import Applied
from tests.simulation.world import Outcome


def failure(outcome: Outcome) -> str:
    """Why a run failed, how to see it again, and its options."""
    options = outcome.options
    again = f"python -m tests.simulation --ledger {options.ledger} --mode {options.mode} --seed {options.seed}"
    return "\n".join([str(outcome.violation), again, options.describe()])


def scenario(outcome: Outcome) -> str:
    """What reached each ledger, in order, with its answers. What has no words there is a comment."""
    texts = []
    for server in outcome.servers:
        scribe = _Scribe(server.trace, outcome.options.max_ended)
        texts += [f"// {server.name}", *scribe.lines(), ""]
    return "\n".join(texts)


class _Scribe:
    def __init__(self, trace: Iterable[Applied], max_ended: int) -> None:
        self._trace = [applied for applied in trace if _is_told(applied.command)]
        self._max_ended = max_ended
        first = self._trace[0] if self._trace else None
        # A scenario's time begins with the run's.
        self._origin_ms = START_MS if first is None else first.wall_ms - first.mono_ms
        made = sorted({applied.command.id for applied in self._trace if hasattr(applied.command, "id")})
        self._ids = {id: f"r{number:03}" for number, id in enumerate(made)}
        self._periods: dict[tuple[str, Period], str] = {}
        self._lines: dict[str, str] = {}
        self._callers: dict[str, str] = {}
        for applied in self._trace:
            for account in _accounts(applied.command):
                self._name(account)

    def lines(self) -> Iterator[str]:
        yield f"ledger max_ended {self._max_ended}"
        for (window, period), name in self._periods.items():
            yield f"period {name} {window} {self._seconds(period.start_ms)}..{self._seconds(period.end_ms or 0)}"
        caller, mono_ms, wall_ms = "me", 0, self._origin_ms
        for applied in self._trace:
            passed, moved = applied.mono_ms - mono_ms, applied.wall_ms - wall_ms
            # The ledger looks at each line's end: it may not see a time that it did not see in the run.
            if moved < passed:
                yield f"leap {(moved - passed) / 1000}"
            if passed:
                yield f"tick {passed / 1000}"
            if moved > passed:
                yield f"leap {(moved - passed) / 1000}"
            mono_ms, wall_ms = applied.mono_ms, applied.wall_ms
            speaks = self._caller(applied.command)
            if speaks is not None and speaks != caller:
                caller = speaks
                yield f"as {caller}"
            yield self._line(applied.command, applied.answer)

    def _caller(self, command: AnyCommand) -> str | None:
        if isinstance(command, Reserve | Release):
            return self._callers.setdefault(command.nonce, f"caller{len(self._callers) + 1}")
        return None

    def _line(self, command: Any, answer: object) -> str:
        match command:
            case Reserve(id=id, holds=holds, lease_ms=lease_ms, on_expiry=on_expiry):
                lapse = " lapse" if on_expiry == "release" else ""
                return f"reserve {self._ids[id]} {self._holds(holds)} lease {lease_ms / 1000:g}{lapse} -> {say(answer)}"
            case Settle(id=id, holds=holds, actual=actual) | Charge(id=id, holds=holds, actual=actual):
                verb = type(command).__name__.lower()
                return f"{verb} {self._ids[id]} {_amounts(actual)}for {self._holds(holds)} -> {say(answer)}"
            case Release(id=id):
                return f"release {self._ids[id]} -> {say(answer)}"
            case Resolve(id=id, actual=actual):
                return f"resolve {self._ids[id]} {_amounts(actual).strip()} -> {say(answer)}"
            case Close(account=account):
                return f"close {self._name(account)} -> {say(answer)}"
            case Raise(line=line, amount=amount, until_ms=until_ms) if line in self._lines:
                until = "ever" if until_ms is None else self._seconds(until_ms)
                return f"raise {self._lines[line]} by {amount} until {until}"
            case Freeze(line=line, frozen=frozen) if line in self._lines:
                return f"{'freeze' if frozen else 'thaw'} {self._lines[line]}"
            case Clock(how="accept"):
                return "clock accept"
        return f"// {command!r}"

    def _holds(self, holds: tuple[Hold, ...]) -> str:
        return ", ".join(self._hold(hold) for hold in holds)

    def _hold(self, hold: Hold) -> str:
        limit = "any" if hold.limit is None else hold.limit
        crowd = hold.crowd
        seats = "" if crowd is None else f" crowd {crowd.most} else {self._name(crowd.overflow)}"
        return f"{self._name(hold.account)} {hold.amount} of {limit}{seats}"

    def _name(self, account: Account) -> str:
        unit = "" if account.unit.value == "usd" else f"#{account.unit.value}"
        name = account.scope + unit
        if account.window != "total":
            key = (account.window, account.period)
            name += "@" + self._periods.setdefault(key, f"{account.window}{len(self._periods)}")
        self._lines.setdefault(account.line, name)
        return name

    def _seconds(self, ms: int) -> str:
        return f"{(ms - self._origin_ms) / 1000:.3f}"


def _is_told(command: AnyCommand) -> bool:
    moves = (Reserve, Settle, Charge, Release, Resolve, Close, Raise, Freeze, Compact)
    return isinstance(command, moves) or (isinstance(command, Clock) and command.how == "accept")


def _accounts(command: Any) -> Iterator[Account]:
    for hold in getattr(command, "holds", ()):
        yield hold.account
        if hold.crowd is not None:
            yield hold.crowd.overflow
    if isinstance(command, Close):
        yield command.account


def _amounts(actual: Amounts) -> str:
    return "".join(f"{amount} {unit.value} " for unit, amount in actual.items())
