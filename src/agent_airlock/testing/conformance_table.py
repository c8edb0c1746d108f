"""Rule 4: every cell of the table of states and verbs, what is answered and what stands afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from ..ledger.accounts import Hold
from ..ledger.commands import Command
from .conformance_bench import Bench, fail
from .conformance_suite import Suite, needs
from .conformance_words import MINUTE, NOTHING, charge, hold, release, reserve, resolve, settle

Sent = Callable[[str, Hold], Command[Any]]
"""A command for an id and its hold of 5."""


def _reserve(id: str, held: Hold) -> Command[Any]:
    return reserve(id, held)


def _lapsing(id: str, held: Hold, *, nonce: str = "me", more: int = 0) -> Command[Any]:
    asked = Hold(held.account, held.amount + more, held.limit)
    return reserve(id, asked, nonce=nonce, on_expiry="release")


HISTORIES: Final[Mapping[str, tuple[Sent | str, ...]]] = {
    "unknown": (),
    "held": (_reserve,),
    "presumed": (_reserve, "its lease ends"),
    "lapsed": (_lapsing, "its lease ends"),
    "resolved": (_reserve, lambda id, held: resolve(id, 3)),
    "settled": (_reserve, lambda id, held: settle(id, held, actual=3)),
    "released": (_reserve, lambda id, held: release(id)),
    "closed": (lambda id, held: release(id),),
    "forgotten": (_reserve, lambda id, held: settle(id, held, actual=3), "it is forgotten"),
}
"""What brings an id to a state."""

COLUMNS: Final[Mapping[str, Sent]] = {
    "reserve": _reserve,
    "reserve, other nonce": lambda id, held: reserve(id, held, nonce="other"),
    "reserve, other amount": lambda id, held: reserve(id, Hold(held.account, held.amount + 1, held.limit)),
    "settle 3": lambda id, held: settle(id, held, actual=3),
    "settle 7": lambda id, held: settle(id, held, actual=7),
    "charge 3": lambda id, held: charge(id, held, actual=3),
    "release": lambda id, held: release(id),
    "release, other nonce": lambda id, held: release(id, "other"),
    "resolve 2": lambda id, held: resolve(id, 2),
    "resolve 8": lambda id, held: resolve(id, 8),
}
_IN_LAPSED: Final[Mapping[str, Sent]] = {
    "reserve": _lapsing,
    "reserve, other nonce": partial(_lapsing, nonce="other"),
    "reserve, other amount": partial(_lapsing, more=1),
}
"""There, the content that lapsed is asked for again."""

H: Final = "held 5"
P: Final = "presumed 5"
S: Final = "settled 3"
N: Final = NOTHING
AGAIN: Final = ("settled repeated", S)
TAKEN: Final = "in use"
OTHER: Final = "conflict amounts"
LATE: Final = (("late", "settled 3 late 3"), ("late", "settled 7 late 7"), ("late", "settled 3 late 3"))
FORCED: Final = (("forced", "settled 3 forced 3"), ("forced", "settled 7 forced 7"), ("charged", "settled 3 charged 3"))
BOOKED: Final = (("settled", S), ("settled", "settled 7 above_hold 2"), ("settled", S))

# fmt: off
CELLS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    # reserve, with another nonce, with another amount; settle 3, settle 7, charge 3;
    # release, with another nonce; resolve 2, resolve 8
    "unknown": (
        ("held", H), ("held", H), ("held", "held 6"), *FORCED,
        ("closed", N), ("closed", N), ("no effect unknown", N), ("no effect unknown", N)),
    "held": (
        ("held", H), (TAKEN, H), (OTHER, H), *BOOKED,
        ("released", N), ("no effect held", H), ("resolved", "settled 2"), ("resolved", "settled 8 above_hold 3")),
    "presumed": (
        ("presumed", P), (TAKEN, P), (OTHER, P), *BOOKED,
        ("released", N), ("no effect presumed", P), ("resolved", "settled 2"), ("resolved", "settled 8 above_hold 3")),
    "lapsed": (
        ("lapsed", N), (TAKEN, N), (OTHER, N), *LATE,
        ("released", N), ("no effect lapsed", N), ("resolved", "settled 2 late 2"), ("resolved", "settled 8 late 8")),
    "resolved": (
        ("resolved", S), (TAKEN, S), (OTHER, S), ("settled", S), ("settled", "settled 7 late 4"), ("settled", S),
        ("no effect resolved", S), ("no effect resolved", S),
        ("resolved", "settled 2"), ("resolved", "settled 8 late 5")),
    "settled": (
        ("settled", S), (TAKEN, S), (OTHER, S), AGAIN, ("conflict actual", S), AGAIN,
        *(("no effect settled", S),) * 4),
    "released": (
        ("released", N), (TAKEN, N), (OTHER, N), *LATE,
        *(("no effect released", N),) * 4),
    "closed": (
        ("closed", N), ("closed", N), ("closed", N), *FORCED,
        *(("no effect closed", N),) * 4),
    "forgotten": (
        *(("forgotten", S),) * 8,
        *(("no effect forgotten", S),) * 2),
}
# fmt: on


class TableTests(Suite):
    """One test for each state: each verb is sent to an id of its own that is there."""

    def test_money_4_the_table_of_an_unknown_id(self) -> None:
        self._row("unknown")

    def test_money_4_the_table_of_a_held_id(self) -> None:
        self._row("held")

    def test_money_4_the_table_of_a_presumed_id(self) -> None:
        self._row("presumed")

    @needs("lapse")
    def test_money_4_the_table_of_a_lapsed_id(self) -> None:
        self._row("lapsed")

    @needs("resolve")
    def test_money_4_the_table_of_a_resolved_id(self) -> None:
        self._row("resolved")

    def test_money_4_the_table_of_a_settled_id(self) -> None:
        self._row("settled")

    def test_money_4_the_table_of_a_released_id(self) -> None:
        self._row("released")

    def test_money_4_the_table_of_a_closed_id(self) -> None:
        self._row("closed")

    @needs("compact")
    def test_money_4_the_table_of_a_forgotten_id(self) -> None:
        self._row("forgotten")

    def _row(self, state: str) -> None:
        wrong: list[str] = []
        with self.opened() as bench:
            for place, column in enumerate(COLUMNS):
                if column.startswith("resolve") and "resolve" not in self.supports:
                    continue
                try:
                    _cell(bench, state, column, place)
                except AssertionError as error:
                    wrong.append(f"{state} × {column}: {error}")
            if wrong:
                fail("\n".join(wrong))


def _cell(bench: Bench, state: str, column: str, place: int) -> None:
    id, held = f"r{place}", hold(5, 10, f"agent:{place}")
    for step in HISTORIES[state]:
        if step == "its lease ends":
            bench.tick(MINUTE)
        elif step == "it is forgotten":
            bench.forget()
        elif not isinstance(step, str):
            bench.apply(step(id, held))
    sent = _IN_LAPSED.get(column, COLUMNS[column]) if state == "lapsed" else COLUMNS[column]
    answer, left = CELLS[state][place]
    bench.says(sent(id, held), answer)
    bench.stands(held, left)
