"""The only module that knows typer and rich: how a command is declared, and how its answer is printed.

rich is imported when something is printed for people: a third of the command's start.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Final, NoReturn, TextIO

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
    if as_json:
        _write(sys.stdout, f"{json.dumps(found.data, indent=2)}\n")
    else:
        _show(found.pieces)
        _show(found.remarks, stderr=True)
    raise typer.Exit(found.code)


# --- for people ------------------------------------------------------------------------------------------

_STYLES: Final[dict[Style, str]] = {"plain": "", "strong": "bold", "good": "green", "bad": "red", "warning": "yellow"}
_UNFOLDED: Final = 1_000


def _show(pieces: Iterable[Piece], *, stderr: bool = False) -> None:
    pieces = tuple(pieces)
    if not pieces:
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    stream = sys.stderr if stderr else sys.stdout
    console = Console(file=stream, markup=False, emoji=False, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _UNFOLDED  # what another program reads has one row a line
    with console.capture() as capture:
        for piece in pieces:
            if isinstance(piece, Line):
                console.print(Text(_printable(piece.text), _STYLES[piece.style]), soft_wrap=True)
                continue
            table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=bool(piece.head))
            for title in piece.head or piece.rows[0]:
                table.add_column(title if piece.head else "", overflow="fold", header_style="bold")
            for row in piece.rows:
                table.add_row(*(Text(_printable(cell)) for cell in row))
            console.print(table)
    _write(stream, "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def _write(stream: TextIO, text: str) -> None:
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()  # here a reader that has gone is noticed, and no error


def _printable(text: str) -> str:
    """What a file or an argument says cannot move the cursor, change a colour, or turn the direction of a line."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
