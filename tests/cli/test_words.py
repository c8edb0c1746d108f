"""How the command writes amounts, times, URLs and tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_airlock.cli.answers import Grid, Line
from agent_airlock.cli.terminal import _lines
from agent_airlock.cli.words import a_window, amount, instant, redacted
from agent_airlock.ledger.accounts import Unit


@pytest.mark.parametrize(
    ("unit", "count", "written"),
    [
        (Unit.USD, 20_000_000, "0.02 USD"),
        (Unit.TOKENS, 2_000_000, "2,000,000 tokens"),
        (Unit.CALLS, 1, "1 call"),
        (Unit.CALLS, 0, "0 calls"),
    ],
)
def test_an_amount_has_its_unit(unit: Unit, count: int, written: str) -> None:
    assert amount(unit, count) == written


def test_windows_and_times() -> None:
    assert [a_window(window) for window in ("total", "hour", "day")] == ["in total", "an hour", "a day"]
    assert instant(0) == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("memory:", "memory:"),
        ("sqlite:///budgets.db?durability=normal", "sqlite:///budgets.db?durability=normal"),
        ("postgresql://u:p@h/db", "postgresql://***@h/db"),
        ("postgresql://u:p/?#[@x@h:5/db", "postgresql://***@h:5/db"),
        ("valkey://:p@h", "valkey://***@h"),
        ("valkey:u:p@h", "valkey:***@h"),
        (
            "postgresql://h/db?PGPASSWORD=p&user=u&sslkey=p;token=p",
            "postgresql://h/db?PGPASSWORD=***&user=u&sslkey=***;token=***",
        ),
        ("postgresql://h/db#secret=p", "postgresql://h/db#secret=***"),
    ],
)
def test_a_url_is_shown_without_what_may_be_a_secret(url: str, shown: str) -> None:
    assert redacted(url) == shown


@given(st.text(), st.text())
def test_no_password_survives_wherever_the_url_is_broken(before: str, after: str) -> None:
    assert "hunter2" not in redacted(f"postgresql://{before}:hunter2{after}@host/db")


def test_columns_that_do_not_fit_become_blocks() -> None:
    table = Grid([["a", "some"], ["bb", ""]], ("id", "what"))
    assert [line.text for line in _lines([table], 80)] == ["id  what", "a   some", "bb"]
    assert [line.text for line in _lines([table], 7)] == ["id: a", "  what: some", "id: bb"]


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1), st.integers(1, 200))
def test_a_table_says_every_cell_at_every_width_and_moves_no_cursor(rows: list[tuple[str, str]], width: int) -> None:
    lines = [line.text for line in _lines([Line("\x1b[2J\n"), Grid(rows, ("id", "what"))], width)]
    assert all(line.isprintable() for line in lines)
    shown = "\n".join(lines)
    assert all(cell.strip() in shown for row in rows for cell in row if cell.isprintable())
