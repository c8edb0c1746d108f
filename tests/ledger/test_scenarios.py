"""Every scenario, on every ledger; and all cells of the rules' table are hit by them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from agent_airlock.ledger import rules
from agent_airlock.ledger.commands import Charge, State
from agent_airlock.ledger.rows import Reservation
from tests.ledger.ledgers import Bench, open_bench
from tests.ledger.scenario import Player, options

FOLDER: Final = Path(__file__).parent / "scenarios"
SCENARIOS: Final = {path.stem: path.read_text("utf-8") for path in FOLDER.glob("*.txt")}


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_scenario(name: str, open_ledger: Callable[..., Bench]) -> None:
    text = SCENARIOS[name]
    Player(open_ledger(**options(text))).play(text, f"{name}.txt")


def test_a_scenario_that_is_wrong_fails_and_names_its_line() -> None:
    for text in (
        "reserve r1 agent:a 5 of 10 lease 60 -> held\nreserve r2 agent:a 6 of 10 lease 60 -> held",
        "reserve r1 agent:a 5 of 10 lease 60 -> held\nbalance agent:a held 6",
    ):
        with open_bench() as bench, pytest.raises(AssertionError, match=r"^wrong:2: "):
            Player(bench).play(text, "wrong")


COLUMNS: Final = (
    *("reserve", "reserve, other nonce", "settle, the same", "settle, another amount"),
    *("charge", "release", "release, other nonce", "resolve"),
)
WITH_CONTENT: Final = (
    *(State.HELD, State.PRESUMED, State.LAPSED, State.RESOLVED),
    *(State.SETTLED, State.RELEASED),
)
CELLS: Final = {(state, column) for state in State for column in COLUMNS} | {
    (state, "reserve, other content") for state in WITH_CONTENT
}
"""Only a row that has content can differ from it; *closed* and *forgotten* have none, never a conflict."""


def _column(field: str, row: Reservation | None, command: Any) -> str:
    """Which cell of docs/ledger.md this is. Where no row says who made an id, `other` is another caller."""
    if field == "settle":
        if isinstance(command, Charge):
            return "charge"
        holds = (row and row.holds) or command.holds
        stood = row.booked if row is not None else ()
        amounts = stood if any(stood) else tuple(hold.amount for hold in holds)
        said = tuple(command.actual.get(hold.account.unit, hold.amount) for hold in holds)
        return "settle, the same" if said == amounts else "settle, another amount"
    if field == "resolve":
        return field
    if field.endswith("_other") or (row is None and command.nonce == "other"):
        return field.split("_", maxsplit=1)[0] + ", other nonce"
    if field == "reserve" and row is not None and (row.holds, row.lease_ms) != (command.holds, command.lease_ms):
        return "reserve, other content" if row.state in WITH_CONTENT else "reserve"
    return field


Counts = Counter[tuple[State, str]]
Cell = Callable[..., Any]


def _count(counts: Counts, state: State, field: str, cell: Cell) -> Cell:
    def counted(row: Reservation | None, rows: Any, command: Any, *rest: Any) -> Any:
        counts[state, _column(field, row, command)] += 1
        return cell(row, rows, command, *rest)

    return counted


def test_rule_4_every_cell_of_the_table_is_hit(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: Counts = Counter()
    for state, cells in list(rules.TABLE.items()):
        wrapped = [_count(counts, state, field, cell) for field, cell in cells._asdict().items()]
        monkeypatch.setitem(rules.TABLE, state, rules.Cells(*wrapped))  # type: ignore[arg-type]
    for text in SCENARIOS.values():
        with open_bench(**options(text)) as bench:
            Player(bench).play(text)
    for (state, column), count in sorted(counts.items()):
        print(f"{count:4}  {state.value}: {column}")
    assert {cell for cell in CELLS if not counts[cell]} == set()
    assert set(counts) <= CELLS, "a cell that nobody expected"
