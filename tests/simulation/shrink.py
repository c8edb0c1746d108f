"""A failing run made small: without the callers, kills and steps that the failure does not need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.simulation.generator import Options
from tests.simulation.world import Outcome

PARTS = ("actors", "kills_ms", "cancels_ms", "steps", "budgets")


def shrunk(outcome: Outcome, run: Callable[[Options], Outcome]) -> Outcome:
    """The smallest run that still breaks the same law, as far as leaving out one thing at a time leads."""
    smaller = True
    while smaller:
        smaller = False
        for options in _without_one(outcome.options):
            tried = run(options)
            if outcome.violation and tried.violation and tried.violation.law is outcome.violation.law:
                outcome, smaller = tried, True
                break
    return outcome


def _without_one(options: Options) -> Iterator[Options]:
    for part in PARTS:
        values = getattr(options, part)
        for place in range(len(values)):
            if len(values) > 1 or part != "budgets":
                yield replace(options, **{part: values[:place] + values[place + 1 :]})
    for place, often in enumerate(options.faults):
        if often:
            yield replace(options, faults=(*options.faults[:place], 0.0, *options.faults[place + 1 :]))
