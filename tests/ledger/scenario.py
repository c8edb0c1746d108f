"""Scenarios as text: what was sent to a ledger, and what it answered.

::

    ledger max_ended 4                            options of the ledger, before anything else
    period monday day 0..86400                    a period of the window `day`, in seconds from the start
    reserve r1 agent:a 5 of 10, team:b#calls 1 of any lease 60 -> held
    as other                                      from here on another caller speaks; `me` at the start
    tick 61                                       the clock moves, in seconds; `tick -5` turns it back
    settle r1 3 -> settled                        USD; `3 usd 100 tokens` by unit; nothing: at its hold
    settle r9 3 for agent:a 5 of 10 -> forced     of an id that this text has not reserved
    balance agent:a settled 3 presumed 0 held 0 overrun 0
    reserve r2 agent:a 5 of 10 lease 60 lapse -> held      its lease gives the hold back when it ends
    resolve r2 0 -> resolved                               an operator's word; amounts as with settle
    raise agent:a by 5 until 120                           an operator's, in seconds from the start, or `ever`
    freeze agent:a                                         and `thaw agent:a`
    close agent:a -> closed
    leap 3600                                              the clock is set, and no time passes
    clock accept                                           an operator's word on it; or `clock set 60`

An account is ``scope``, ``#unit`` (else USD) and ``@period`` (else the whole time). ``max`` is 2⁵³ − 1.
``//`` starts a line that says why.
After each line Check is clean, and an answer that writes nothing has written nothing.
"""

from __future__ import annotations

import re
from typing import Any, Final

from agent_airlock.exceptions import ClockJump
from agent_airlock.ledger.accounts import TOTAL, Account, Balance, Hold, Period, Unit
from agent_airlock.ledger.commands import (
    Charge,
    Check,
    Conflict,
    Forgotten,
    Frozen,
    InUse,
    PeriodOverlap,
    Refused,
    Release,
    Released,
    Reserve,
    Reserved,
    Settle,
    Settled,
    WrongPeriod,
)
from agent_airlock.ledger.operations import Clock, Close, Closed, Freeze, Raise, Resolve, Resolved
from agent_airlock.money import MAX_AMOUNT
from agent_airlock.testing.conformance_words import wrote
from tests.ledger.clock import START_MS
from tests.ledger.ledgers import Bench
from tests.ledger.words import LABELS, WHY

_COUNTS: Final = ("settled", "presumed", "held", "overrun")


def say(answer: object) -> str:
    """An answer, as scenarios write it."""
    match answer:
        case Reserved(state=state):
            return state.value
        case Refused(refusal=no):
            return f"refused {no.account.scope} {no.cause} fits {no.fits[no.account.unit]}"
        case WrongPeriod(account=account):
            return f"wrong period {account.scope}"
        case PeriodOverlap(account=account):
            return f"period overlap {account.scope}"
        case Frozen(account=account):
            return f"frozen {account.scope}"
        case InUse():
            return "in use"
        case Conflict(field=field):
            return f"conflict {field}"
        case Forgotten():
            return "forgotten"
        case Settled(how=how, repeated=repeated):
            return f"{how} repeated" if repeated else how
        case Released(state=state, effect=effect):
            return state.value if effect else f"no effect {state.value}"
        case Resolved(state=state, effect=effect):
            return state.value if effect else f"no effect {state.value}"
        case Closed(balance=balance, effect=effect):
            return "closed" if effect else f"no effect {balance.shut}"
        case ClockJump():
            return "clock jump"
    raise AssertionError(f"no word for {answer!r}")


def options(text: str) -> dict[str, int]:
    """The options of the ledger that a scenario wants."""
    return {name: int(value) for name, value in re.findall(r"^ledger (\w+) (\d+)$", text, re.MULTILINE)}


class Player:
    """Plays one scenario on one bench."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.caller = "me"
        self._periods: dict[str, tuple[str, Period]] = {}
        self._holds: dict[str, tuple[Hold, ...]] = {}
        self._last: dict[str, Balance] = {}

    def play(self, text: str, name: str = "scenario") -> None:
        for number, line in enumerate(text.splitlines(), 1):
            words = line.strip()
            if not words or words.startswith(("//", "ledger ")):
                continue
            try:
                self._line(words)
                assert self.bench.apply(Check()).problems == ()
            except Exception as error:
                raise AssertionError(f"{name}:{number}: {words}\n{error}") from error

    def _line(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        if verb in ("reserve", "settle", "charge", "release", "resolve", "close"):
            question, expected = rest.split(" -> ")
            self._send(getattr(self, f"_{verb}")(*question.split(" ", 1)), expected)
        else:
            getattr(self, f"_{verb}")(rest)

    def _send(self, command: Any, expected: str) -> None:
        try:
            answer = self.bench.apply(command)
        except ClockJump as jump:
            answer = jump
        assert say(answer) == expected, f"the ledger says: {say(answer)}"
        now = self.bench.balances()
        if not wrote(answer):
            assert now == self._last, f"it answered {expected}, and wrote"
        self._last = now

    # --- verbs -------------------------------------------------------------------------------------------

    def _reserve(self, id: str, rest: str) -> Reserve:
        holds, _, lease = rest.partition(" lease ")
        seconds, _, lapse = lease.partition(" ")
        on_expiry = "release" if lapse == "lapse" else "presume"
        command = Reserve(id, self.caller, self._parse_holds(holds), int(seconds) * 1000, LABELS, on_expiry)
        self._holds.setdefault(id, command.holds)
        return command

    def _settle(self, id: str, rest: str = "") -> Settle:
        return Settle(id, *self._actual(id, rest), LABELS)

    def _charge(self, id: str, rest: str = "") -> Charge:
        return Charge(id, *self._actual(id, rest), LABELS)

    def _actual(self, id: str, rest: str) -> tuple[tuple[Hold, ...], dict[Unit, int]]:
        amounts, _, holds = rest.partition("for ")
        words = amounts.split()
        units = words[1::2] or ["usd"] * len(words)
        pairs = zip(words[::2], units, strict=True)
        actual = {Unit(unit): _number(amount) for amount, unit in pairs}
        return (self._parse_holds(holds) if holds else self._holds.get(id, ())), actual

    def _release(self, id: str) -> Release:
        return Release(id, self.caller)

    def _resolve(self, id: str, rest: str = "") -> Resolve:
        return Resolve(id, self._actual(id, rest)[1], WHY)

    def _close(self, name: str) -> Close:
        return Close(self._account(name))

    # --- what an operator sets ---------------------------------------------------------------------------

    def _raise(self, rest: str) -> None:
        name, by, amount, until, when = rest.split()
        assert (by, until) == ("by", "until"), rest
        until_ms = None if when == "ever" else _instant(when)
        self._set(Raise(self._account(name).line, _number(amount), until_ms, WHY))

    def _freeze(self, name: str, *, frozen: bool = True) -> None:
        self._set(Freeze(self._account(name).line, WHY, frozen=frozen))

    def _thaw(self, name: str) -> None:
        self._freeze(name, frozen=False)

    def _clock(self, rest: str) -> None:
        how, _, when = rest.partition(" ")
        self._set(Clock(how, _instant(when) if when else None, WHY))  # type: ignore[arg-type]

    def _set(self, command: Any) -> None:
        self.bench.apply(command)
        self._last = self.bench.balances()

    # --- the rest ----------------------------------------------------------------------------------------

    def _as(self, caller: str) -> None:
        self.caller = caller

    def _tick(self, seconds: str) -> None:
        self.bench.clock.tick(float(seconds))
        self._last = self.bench.balances()

    def _leap(self, seconds: str) -> None:
        self.bench.clock.leap(float(seconds))
        self._last = self.bench.balances()

    def _period(self, rest: str) -> None:
        name, window, span = rest.split()
        start, end = map(_instant, span.split(".."))
        self._periods[name] = window, Period(start, end)

    def _balance(self, rest: str) -> None:
        name, *words = rest.split()
        account = self._account(name)
        balance = self.bench.balances()[account.id]
        found = {count: getattr(balance, count) for count in _COUNTS}
        found |= {cause: getattr(balance.overruns, cause) for cause in balance.overruns.__slots__}
        expected = {word: _number(number) for word, number in zip(words[::2], words[1::2], strict=True)}
        assert expected == {word: found[word] for word in expected}, f"the ledger says: {found}"

    # --- words -------------------------------------------------------------------------------------------

    def _parse_holds(self, text: str) -> tuple[Hold, ...]:
        return tuple(self._parse_hold(part) for part in text.split(", "))

    def _parse_hold(self, text: str) -> Hold:
        name, amount, of, limit = text.split()
        assert of == "of", text
        return Hold(self._account(name), _number(amount), None if limit == "any" else _number(limit))

    def _account(self, name: str) -> Account:
        name, _, period = name.partition("@")
        scope, _, unit = name.partition("#")
        window, span = self._periods[period] if period else ("total", TOTAL)
        return Account(scope, window, Unit(unit or "usd"), span)


def _instant(seconds: str) -> int:
    return START_MS + round(float(seconds) * 1000)


def _number(text: str) -> int:
    if text.startswith("max"):
        return MAX_AMOUNT + int(text.removeprefix("max") or 0)
    return int(text)
