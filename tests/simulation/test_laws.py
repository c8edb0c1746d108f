"""Seeds of every mode: no law is broken, every cell of the table is hit, and what a mode gives up is what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from agent_airlock.ledger.clocks import LEAP_MS
from tests.ledger.ledgers import open_bench
from tests.ledger.scenario import Player, options
from tests.simulation.batch import Batch
from tests.simulation.generator import KINDS_OF_LEDGER, MODES, Kind, Mode, generate
from tests.simulation.laws import Law
from tests.simulation.mutants import MUTANTS
from tests.simulation.report import failure, scenario
from tests.simulation.seams import Cells, installed
from tests.simulation.shrink import shrunk
from tests.simulation.world import run

SEEDS: Final[dict[Kind, int]] = {"memory": 200, "sqlite": 16}
LONG_SEEDS: Final[dict[Kind, int]] = {"memory": 2_000, "sqlite": 400}
"""In each mode. The long ones take some 15 ms a run in memory, and 80 on a file."""
ROOT: Final = Path(__file__).parents[2]


every_ledger = pytest.mark.parametrize("ledger", KINDS_OF_LEDGER)
every_mode = pytest.mark.parametrize("mode", MODES)


def _hold_the_laws(mode: Mode, ledger: Kind, seeds: int) -> None:
    batch = Batch()
    batch.run(range(seeds), mode, ledger)
    print(batch.table())
    assert not batch.failures, f"{len(batch.failures)} of {seeds} seeds\n{failure(batch.failures[0])}"


@every_ledger
@every_mode
def test_no_law_is_broken(mode: Mode, ledger: Kind) -> None:
    _hold_the_laws(mode, ledger, SEEDS[ledger])


@pytest.mark.long
@every_ledger
@every_mode
def test_no_law_is_broken_by_many_seeds(mode: Mode, ledger: Kind) -> None:
    _hold_the_laws(mode, ledger, LONG_SEEDS[ledger])


def test_every_cell_of_the_table_is_hit() -> None:
    batch = Batch()
    for mode in MODES:
        batch.run(range(200 if mode == "release" else 40), mode)
    print(batch.table())
    assert batch.missing() == []


def test_rule_7_release_gives_up_that_what_was_billed_is_booked_and_nothing_else() -> None:
    """`on_expiry="release"`: the money of a call that outlasts its lease stands nowhere, and others may have it."""
    batch = Batch()
    batch.run(range(150), "release")
    assert not batch.failures, failure(batch.failures[0])
    assert set(batch.given_up) <= {Law.RUNNING_STANDS, Law.BOOKED, Law.CAP}
    assert batch.given_up[Law.RUNNING_STANDS], "no call outlasted its lease"
    assert batch.given_up[Law.BOOKED], "no call that was billed was lost"


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "release"])
def test_the_other_modes_give_nothing_up(mode: Mode) -> None:
    batch = Batch()
    batch.run(range(20), mode)
    assert not batch.given_up


# --- a seed is a run, wherever it is run -----------------------------------------------------------------


def _told(seed: int, mode: Mode) -> str:
    with installed(Cells()):
        outcome = run(generate(seed, mode))
    return f"{failure(outcome)}\n\n{scenario(outcome)}\n"


@every_mode
def test_a_seed_is_the_same_run_each_time(mode: Mode) -> None:
    assert _told(3, mode) == _told(3, mode)


def test_a_seed_is_the_same_run_in_another_process() -> None:
    command = [sys.executable, "-m", "tests.simulation", "--mode", "crashes", "--seed", "5"]
    other = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "7"}, check=True
    )
    assert other.stdout == _told(5, "crashes")


# --- a seed that fails -----------------------------------------------------------------------------------


def test_a_failing_seed_prints_its_options_and_shrinks() -> None:
    mutant = MUTANTS["a repeated settle books again"]
    batch = Batch(mutant)
    batch.run(range(100), "faults", stop=True)
    whole = batch.failures[0]
    with installed(Cells(), mutant.off):
        small = shrunk(whole, run)
    assert whole.violation is not None
    assert small.violation is not None
    assert small.violation.law is whole.violation.law
    assert len(small.options.actors) < len(whole.options.actors)
    text = failure(small)
    assert f"--mode faults --seed {whole.options.seed}" in text
    assert "actors=(Actor(" in text


WITHOUT_WORDS: Final = ("newcomer", "onlooker")
"""Crowds and Compact have none in a scenario. When an id is forgotten depends on when a ledger sweeps."""


@every_mode
def test_a_run_becomes_a_scenario_that_a_ledger_can_play(mode: Mode) -> None:
    for seed in range(12):
        made = generate(seed, mode)
        actors = tuple(actor for actor in made.actors if actor.kind not in WITHOUT_WORDS)
        steps = tuple((at_ms, step) for at_ms, step in made.steps if step < LEAP_MS)
        with installed(Cells()):
            outcome = run(replace(made, actors=actors, steps=steps, max_ended=1_000, lease_ms=1_000))
        assert outcome.violation is None, failure(outcome)
        for text in scenario(outcome).split("\n\n"):
            with open_bench(audited=False, **options(text)) as bench:
                Player(bench).play(text, f"{mode} {seed}")
