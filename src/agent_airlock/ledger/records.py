"""The record that each verb of an operator leaves, pure; and what an operator has to say."""

from __future__ import annotations

from typing import Final

from ..values import shown
from .commands import Stamp, State
from .operations import AuditEntry, AuditVerb, Clock, Freeze, Raise, Resolve

Spoken = Resolve | Raise | Freeze | Clock
"""The verbs that change something by a person's word."""

MAX_WORDS: Final = 1_000
"""Characters of ``why`` and of ``by``, at most."""


def of_resolve(command: Resolve, was: State, stamp: Stamp) -> AuditEntry:
    said = " ".join(f"{unit.value} {amount}" for unit, amount in command.actual.items()) or "at its hold"
    return _record("resolve", command.id, f"{was.value}: {said}", command, stamp)


def of_override(command: Raise | Freeze, stamp: Stamp) -> AuditEntry:
    if isinstance(command, Freeze):
        return _record("freeze" if command.frozen else "thaw", command.line, "", command, stamp)
    until = "" if command.until_ms is None else f" until {command.until_ms}"
    return _record("raise", command.line, f"by {command.amount}{until}", command, stamp)


def of_clock(command: Clock, was_ms: int, stamp: Stamp) -> AuditEntry:
    return _record("clock", "clock", f"{command.how}: {was_ms} is now {stamp.now_ms}", command, stamp)


def _record(verb: AuditVerb, target: str, what: str, command: Spoken, stamp: Stamp) -> AuditEntry:
    check_words(command)
    return AuditEntry(stamp.seq, stamp.now_ms, verb, target, what, command.why, command.by)


def check_words(command: Spoken) -> None:
    """An operator says why.

    Raises:
        ValueError: ``why`` is empty, or ``why`` or ``by`` is no text, or longer than 1,000 characters.
    """
    kind = type(command).__name__
    for field, least in (("why", 1), ("by", 0)):
        said = getattr(command, field)
        if not isinstance(said, str) or not least <= len(said) <= MAX_WORDS:
            raise ValueError(f"{kind}.{field} must be text of {least} to {MAX_WORDS:,} characters, not {shown(said)}")
