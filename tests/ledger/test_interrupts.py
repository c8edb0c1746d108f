"""Ctrl-C, and a time-out that a signal raises, may stop Python between any two steps of a ledger's command.

The command is then done or not done, never half: no hold is left that no lease ends, and totals are the rows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytest

from agent_airlock import ledger
from agent_airlock.ledger.commands import Balances, Entries
from tests.ledger.ledgers import Bench, open_bench
from tests.ledger.words import charge, hold, release, reserve, settle

HOLDS: Final = (hold(5, 20), hold(5, None, "global"))
STORIES: Final[dict[str, list[Any]]] = {
    "reserve": [reserve("r1", *HOLDS)],
    "settle": [reserve("r1", *HOLDS), settle("r1", *HOLDS, actual=8)],
    "settle of an unknown id": [settle("r1", *HOLDS, actual=3)],
    "charge": [charge("r1", *HOLDS, actual=3)],
    "release": [reserve("r1", *HOLDS), release("r1")],
    "release of an unknown id": [release("r1")],
    "late settle": [reserve("r1", *HOLDS), release("r1"), settle("r1", *HOLDS, actual=3)],
    "the sweep": [reserve("r1", *HOLDS), reserve("r2", *HOLDS), 61, Balances()],
    "forgetting": [charge(f"r{n}", *HOLDS, actual=1) for n in range(3)],
    "forgetting presumed money": [*[reserve(f"r{n}", hold(1, 20)) for n in range(3)], 61, Balances()],
}
_FILES: Final = {str(path) for path in Path(ledger.__file__).parent.glob("*.py")}


def _interrupted(work: Callable[[], object], at: int) -> bool:
    """Whether ``work`` was interrupted: before the ``at``-th line that it runs of the memory ledger.

    The lines of ``apply`` itself are left out: there a line stands between a ``with`` and its end, where
    Python runs no signal's handler.
    """
    lines = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal lines
        if frame.f_code.co_filename not in _FILES or frame.f_code.co_name == "apply":
            return trace
        if event == "line":
            lines += 1
            if lines == at:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def _play(bench: Bench, steps: list[Any]) -> None:
    for step in steps:
        if isinstance(step, int):
            bench.clock.tick(step)
        else:
            bench.apply(step)


@pytest.mark.parametrize("name", STORIES)
def test_an_interrupted_command_is_done_or_not_done(name: str) -> None:
    *before, last = STORIES[name]
    with open_bench("memory", max_ended=2) as bench:
        _play(bench, [*before, last])
        wanted = bench.balances()
    at = 1
    while True:
        with open_bench("memory", max_ended=2) as bench:
            _play(bench, before)
            if not _interrupted(partial(bench.apply, last), at):
                break
            bench.audit_totals(f"interrupted at line {at}")
            for command in (last, *before, last):  # a retry, and echoes of what was sent before
                if not isinstance(command, int):
                    bench.apply(command)
            assert bench.balances() == wanted, f"interrupted at line {at}, then sent again"
            ids = [entry.id for entry in bench.apply(Entries()).entries]
            assert len(ids) == len(set(ids)), f"interrupted at line {at}: an entry stands twice"
        at += 1
    assert at > 5, "nothing was interrupted"
