"""What a command answers: plain data for ``--json``, the same for people, and an exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Literal, NamedTuple


class Code(IntEnum):
    """How the command ends."""

    FINE = 0
    NO = 1
    USAGE = 2
    UNREACHABLE = 3


MEANINGS: Final[Mapping[Code, str]] = {
    Code.FINE: "fine",
    Code.NO: "the answer is no: a policy with problems, an unknown model, a call that is not allowed",
    Code.USAGE: "wrong usage, or the extra 'cli' is not installed",
    Code.UNREACHABLE: "something could not be read, or reached",
}
"""The one table of exit codes; ``airlock --help`` shows it."""

Style = Literal["plain", "strong", "good", "bad", "warning"]


class Line(NamedTuple):
    """A line of text."""

    text: str
    style: Style = "plain"


class Grid(NamedTuple):
    """Rows of cells in columns, under a head where there is one."""

    rows: Sequence[Sequence[str]]
    head: Sequence[str] = ()


Piece = Line | Grid
"""What people read is a sequence of these."""


@dataclass(frozen=True)
class Answer:
    """``remarks`` go to stderr, where people read; what they say stands in ``data`` too."""

    data: Mapping[str, Any]
    pieces: Sequence[Piece]
    code: Code = Code.FINE
    remarks: Sequence[Line] = ()


def remarks(*warnings: str | None) -> list[Line]:
    """The warnings that there are, for stderr."""
    return [Line(f"warning: {warning}", "warning") for warning in warnings if warning is not None]


def refusal(code: Code, file: str | None, problems: Sequence[str]) -> Answer:
    """Why there is no answer. People read it on stderr."""
    prefix = "" if file is None else f"{file}: "
    said = tuple(Line(f"{prefix}{problem}", "bad") for problem in problems)
    return Answer({"ok": False, "file": file, "problems": list(problems)}, (), code, said)
