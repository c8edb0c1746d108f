"""The quiet at the end of a run: everything has ended, every lease too, and whoever fits is served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent_airlock.exceptions import AirlockBlocked, AirlockBudgetExceeded
from agent_airlock.ledger.commands import Balances, Check
from agent_airlock.ledger.operations import Clock, Freeze
from tests.simulation.gate_callers import one_call
from tests.simulation.laws import Law, Violation

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.server import Server
    from tests.simulation.world import World

LONG_MS = 60_000
"""Longer than any lease of a run."""


def all_is_well(world: World) -> None:
    for process in world.processes:
        if process.tasks:
            raise Violation(Law.ENDS, f"{len(process.tasks)} tasks of {process} have not ended")
    world.scheduler.now_ms += LONG_MS
    world.quiet = True
    world.server.cut_at = world.second.cut_at = None
    _operator_puts_right(world)
    for server in world.servers:
        if server.owner is None or server.owner.alive:
            _books_are_right(world, server)
    world.provider.audit()
    world.wall.step(1_500)  # callers come with the time as they knew it
    _who_fits_is_served(world)


def _operator_puts_right(world: World) -> None:
    """Nothing is frozen any more, and the clock is believed."""
    for server in world.servers:
        if server.owner is None or server.owner.alive:
            server.apply(Clock("accept", why="it is right"))
            for line in server.witness.overrides:
                server.apply(Freeze(line, "it may go on", frozen=False))


def _books_are_right(world: World, server: Server) -> None:
    problems = server.apply(Check()).problems
    if problems:
        raise Violation(Law.TOTALS, f"{server.name}: {'; '.join(problems)}")
    witness = server.witness
    for balance in server.apply(Balances()):
        if balance.held:
            raise Violation(Law.NO_HOLD_LEFT, f"{server.name}: {balance}")
        witness.agree(balance, swept=True)
    living = {process.nonce for process in world.processes}
    excused = world.untold | witness.forgotten
    for id, row in witness.rows.items():
        if row.stands and row.nonce in living and id not in excused:
            raise Violation(Law.NOTHING_PRESUMED, f"{server.name}: {id} is {row.state}, and its caller lives: {row}")


def _who_fits_is_served(world: World) -> None:
    """A call that fits every account is let through; another is refused, and never because of what others hold."""
    for process in world.processes:
        for amount in (0, 1, world.options.limit):
            answers: list[Any] = []
            world.scheduler.now_ms += (300 - world.wall.ms) % 1_000  # far from the edge of any period
            process.start(one_call(process.gate, amount, answers), process.rng)
            world.scheduler.run()
            if not answers:
                raise Violation(Law.SERVED, f"{process} asked for {amount}, and was neither served nor refused")
            _met_rightly(world, process, amount, answers[-1])


def _met_rightly(world: World, process: Process, amount: int, answer: object) -> None:
    if not isinstance(answer, AirlockBlocked):
        return
    if "periodoverlap" in str(answer) and any(actor.kind == "traveller" for actor in world.options.actors):
        return  # what was dropped of days that began at another hour leaves one mark for all lines of the window
    refusal = answer.refusal if isinstance(answer, AirlockBudgetExceeded) else None
    if refusal is None:
        raise Violation(Law.SERVED, f"{process} asked for {amount}: {answer!r}")
    if refusal.cause == "held":
        raise Violation(Law.SERVED, f"{process} asked for {amount}: {refusal}, though nobody holds")
