"""Which ledger a URL opens; durable only where it is asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agent_airlock import ledger
from agent_airlock.exceptions import LedgerUnavailable
from agent_airlock.ledger import default_ledger, open_ledger
from agent_airlock.ledger.memory import MemoryLedger
from agent_airlock.ledger.sqlite import SqliteLedger
from tests.ledger.scenario import say
from tests.ledger.words import hold, reserve


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ledger.VARIABLE, raising=False)


def test_three_slashes_are_a_file_in_the_working_folder_and_four_one_from_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    relative, absolute = open_ledger("sqlite:///budgets.db"), open_ledger(f"sqlite:///{tmp_path}/budgets.db")
    assert isinstance(relative, SqliteLedger)
    assert isinstance(absolute, SqliteLedger)
    assert relative.path == absolute.path == str(tmp_path.resolve() / "budgets.db")
    assert say(relative.apply(reserve("r1", hold(6, 10)))) == "held"
    assert say(absolute.apply(reserve("r2", hold(6, 10)))) == "refused agent:a held fits 4"


def test_memory_is_a_new_ledger_each_time() -> None:
    one, other = open_ledger("memory:"), open_ledger("memory:")
    assert isinstance(one, MemoryLedger)
    assert one is not other
    assert one is not default_ledger()


def test_without_a_url_the_variable_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRLOCK_LEDGER", f"sqlite:///{tmp_path}/budgets.db")
    opened = open_ledger()
    assert isinstance(opened, SqliteLedger)
    assert opened.path.endswith("budgets.db")


@pytest.mark.parametrize("value", [None, ""])
def test_without_either_it_says_what_to_do(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if value is not None:
        monkeypatch.setenv("AIRLOCK_LEDGER", value)
    with pytest.raises(LedgerUnavailable, match=r"set AIRLOCK_LEDGER to one: 'sqlite:///budgets\.db'"):
        open_ledger()


@pytest.mark.parametrize(
    "url",
    ["", "budgets.db", "sqlite://budgets.db", "sqlite:budgets.db", "redis://host", "postgres:///x", "SQLITE:///x"],
)
def test_an_unknown_kind_is_refused_and_those_that_there_are_named(url: str) -> None:
    with pytest.raises(ValueError, match=r"must be 'sqlite:///budgets\.db', .* or 'memory:', not '") as refused:
        open_ledger(url)
    assert repr(url) in str(refused.value)


def test_a_url_without_a_file_is_refused() -> None:
    with pytest.raises(ValueError, match="names no file"):
        open_ledger("sqlite:///")


def test_sqlite_is_imported_only_where_a_ledger_of_it_is_opened() -> None:
    script = "import sys, agent_airlock.ledger; print('apsw' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False\n"
    )
