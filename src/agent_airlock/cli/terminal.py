"""The only module that knows typer and rich: how a command is declared, and how its answer is printed.

rich is imported when something is printed for people: a third of the command's start.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final, NoReturn

from ..exceptions import LedgerError, PolicyFileError
from .answers import Answer, Code, Line, Piece, Style, refusal

try:
    import typer
except ImportError as error:
    raise ImportError(
        "the airlock command needs typer: pip install 'agent-airlock-ledger[cli]'", name="typer"
    ) from error

Context = typer.Context
WrongUsage = typer.BadParameter
argument = typer.Argument
option = typer.Option

AsJson = Annotated[bool, option("--json", help="Print one JSON object, and nothing else.")]
File = Annotated[Path | None, argument(metavar="FILE", help="An airlock.toml; else the one that AIRLOCK_POLICY names.")]


def group(about: str, *, epilog: str | None = None) -> typer.Typer:
    """A group of commands. Its help is plain text, the same on every terminal of one width."""
    return typer.Typer(
        help=about,
        epilog=epilog,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,  # it shows local variables
    )


def answer(ask: Callable[[], Answer], *, as_json: bool) -> NoReturn:
    """Ask, print, and end with the answer's code.

    What is wrong with a file, or cannot be read, is an answer too; anything else that is raised is a bug.
    """
    try:
        found = ask()
    except PolicyFileError as error:
        found = refusal(Code.NO, error.path, error.problems)
    except LedgerError as error:
        found = refusal(Code.UNREACHABLE, None, [str(error)])
    except OSError as error:
        file = error.filename if isinstance(error.filename, str) else None
        found = refusal(Code.UNREACHABLE, file, [error.strerror or type(error).__name__])
    _print(found, as_json=as_json)
    raise typer.Exit(found.code)


def _print(found: Answer, *, as_json: bool) -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal has no letters for is no error
    if as_json:
        sys.stdout.write(f"{json.dumps(found.data, indent=2)}\n")
        sys.stdout.flush()  # here a reader that has gone is noticed, and no error
    else:
        _show(found.pieces)
        _show(found.remarks, stderr=True)


# --- for people ------------------------------------------------------------------------------------------

_STYLES: Final[dict[Style, str]] = {"plain": "", "strong": "bold", "good": "green", "bad": "red", "warning": "yellow"}
_UNFOLDED: Final = 1_000


def _show(pieces: Sequence[Piece], *, stderr: bool = False) -> None:
    if not pieces:
        return
    from rich.console import Console
    from rich.text import Text

    stream = sys.stderr if stderr else sys.stdout
    console = Console(file=stream)
    # What another program reads has one row a line.
    width = console.width if console.is_terminal or "COLUMNS" in os.environ else sys.maxsize
    for line in _lines(pieces, width):
        console.print(Text(line.text, _STYLES[line.style]), soft_wrap=True)


def _lines(pieces: Iterable[Piece], width: int) -> Iterator[Line]:
    for piece in pieces:
        if isinstance(piece, Line):
            yield Line(_printable(piece.text), piece.style)
        else:
            head, rows = list(piece.head), [[_printable(cell) for cell in row] for row in piece.rows]
            yield from _columns(head, rows, width) or _blocks(head, rows)


def _columns(head: list[str], rows: list[list[str]], width: int) -> list[Line]:
    """Rows in columns; nothing where they are too wide."""
    from rich.cells import cell_len

    table = [head, *rows] if head else rows
    widths = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
    if sum(widths) + 2 * (len(widths) - 1) > width:
        return []
    lines = ["  ".join(cell + " " * (w - cell_len(cell)) for cell, w in zip(row, widths, strict=True)) for row in table]
    return [Line(text.rstrip(), "strong" if head and not place else "plain") for place, text in enumerate(lines)]


def _blocks(head: list[str], rows: list[list[str]]) -> Iterator[Line]:
    """Each row as a block: for a terminal that its columns do not fit, or for long ids, which people copy."""
    titles = [f"{title}: " if title else "" for title in head]
    for row in rows:
        for place, cell in enumerate(row):
            if cell:
                yield Line(("  " if place else "") + (titles[place] if titles else "") + cell)


def _printable(text: str) -> str:
    """What a file or an argument says cannot move the cursor, change a colour, or turn the direction of a line."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
