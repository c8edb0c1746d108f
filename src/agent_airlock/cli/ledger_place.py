"""Which ledger a command is about. It must be there: neither a look nor a correction makes one.

The only module that knows platformdirs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

from ..exceptions import LedgerUnavailable
from .terminal import WrongUsage, argument
from .words import redacted

if TYPE_CHECKING:
    from ..ledger.sqlite import SqliteLedger

Ledger = Annotated[
    str | None,
    argument(metavar="LEDGER", help="The ledger's file, or its sqlite:/// URL; else what AIRLOCK_LEDGER names."),
]
KEEP_DAYS: Final = 100_000.0
"""A look lets nothing go, however long the ledger's own processes keep what has ended."""


class Place(NamedTuple):
    """A ledger that is there, opened."""

    file: str
    ledger: SqliteLedger


@contextmanager
def opened(named: str | None, *, retain_days: float = KEEP_DAYS) -> Generator[Place]:
    """The ledger that ``named``, else ``AIRLOCK_LEDGER``, names; else the one at the platform's place for such files.

    Raises:
        WrongUsage: what is named is no file's path and no ``sqlite:///`` URL.
        LedgerUnavailable: no ledger is there, or it cannot be opened; the message says why.
        LedgerCorrupt: the file is damaged, or no ledger.
    """
    path = place_of(named)
    from ..ledger.sqlite import SqliteLedger

    ledger = SqliteLedger(path, retain_days=retain_days)
    try:
        yield Place(str(path), ledger)
    finally:
        ledger.close()


def place_of(named: str | None) -> Path:
    """The ledger's file, which is there."""
    from ..ledger import VARIABLE

    asked = named or os.environ.get(VARIABLE)
    path = _default() if not asked else _path(asked, "LEDGER" if named else VARIABLE)
    if path.exists():
        return path
    if asked:
        raise LedgerUnavailable(f"{path}: no ledger is there")
    raise LedgerUnavailable(f"no ledger is named, and none is at {path}: name its file, or set {VARIABLE}")


def _path(asked: str, hint: str) -> Path:
    if asked == "memory:":
        raise WrongUsage("a ledger in memory is seen by its own process alone: name a file", param_hint=hint)
    if "://" not in asked:
        return Path(asked)
    scheme, _, path = asked.partition(":///")
    if scheme != "sqlite" or not path:
        said = f"it must be a file's path or 'sqlite:///budgets.db', not '{redacted(asked)}'"
        raise WrongUsage(said, param_hint=hint)
    return Path(path)


def _default() -> Path:
    """The ledger's file in the user's state folder; it is not made here."""
    try:
        from platformdirs import user_state_path
    except ImportError as error:
        raise ImportError(
            "a ledger's default place needs platformdirs: pip install 'agent-airlock-ledger[cli]'", name="platformdirs"
        ) from error
    return user_state_path("agent-airlock", appauthor=False) / "ledger.db"


# --- what stands behind it on the command line -----------------------------------------------------------


def split(words: Sequence[str], *names: str) -> tuple[str | None, list[str]]:
    """The ledger, where one more word is given than there are ``names``; and the words of these names.

    Raises:
        WrongUsage: more or fewer words.
    """
    spare = len(words) - len(names)
    if spare not in (0, 1):
        wanted = " ".join(names)
        raise WrongUsage(f"write {wanted}, or LEDGER {wanted}", param_hint=f"[LEDGER] {wanted}")
    return (words[0] if spare else None), list(words[spare:])


def operator() -> str:
    """Who types, as the operating system knows them; for the record of what they do."""
    if sys.platform == "win32":
        from getpass import getuser

        return getuser()
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
