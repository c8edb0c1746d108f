"""``airlock.toml``: a policy, its configuration and its ledger as a file."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .config import AirlockConfig
from .exceptions import PolicyFileError
from .policy import SecurityPolicy
from .policy_fields import digest_of

if TYPE_CHECKING:
    from .ledger.commands import Book

MAX_BYTES: Final = 1 << 20
"""Of a policy's file; a larger one is refused."""
MAX_DOTS: Final = 1_000
"""Of one line: reading a dotted key takes time that grows with the square of its parts."""
ENVIRONMENT: Final = "AIRLOCK_POLICY"
"""Names the file that gates without a ``policy=`` of their own use."""


@dataclass(frozen=True)
class LoadedPolicy:
    """What a policy's file says. ``Airlock(policy=loaded.policy, config=loaded.config, ledger=loaded.ledger)``."""

    policy: SecurityPolicy
    config: AirlockConfig
    ledger_url: str | None = None
    path: Path | None = field(default=None, compare=False)

    @cached_property
    def ledger(self) -> Book | None:
        """The file's ledger, opened when it is first asked for; None where the file names none.

        Raises:
            ValueError: no ledger of this kind is known.
            LedgerError: it cannot be opened.
        """
        from .ledger import open_ledger

        return None if self.ledger_url is None else open_ledger(self.ledger_url)

    @property
    def digest(self) -> str:
        """SHA-256 over the policy and all of the configuration but callbacks, the same in every process."""
        return digest_of({"policy": self.policy.digest, "config": self.config.canonical()})


def load_policy(path: str | os.PathLike[str]) -> LoadedPolicy:
    """Read an ``airlock.toml``.

    Raises:
        PolicyFileError: it is not one. It names every key that is wrong, what is allowed there, and for an unknown
            one the nearest that is known; a syntax error has its line and column.
        OSError: it cannot be read.
    """
    where = Path(path)
    with where.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise PolicyFileError(str(where), (f"it is larger than {MAX_BYTES} bytes",))
    return parse_policy(_text(content, str(where)), name=str(where), folder=where.absolute().parent)


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise PolicyFileError(name, (f"byte {error.start} is not UTF-8",)) from None


def parse_policy(text: str, *, name: str = "airlock.toml", folder: Path | None = None) -> LoadedPolicy:
    """As :func:`load_policy`, of a text. Relative folders in it stand below ``folder``, else below the process's own.

    Raises:
        PolicyFileError: as there.
    """
    import tomllib
    from decimal import Decimal

    if any(line.count(".") > MAX_DOTS for line in text.splitlines()):
        raise PolicyFileError(name, (f"a line has more than {MAX_DOTS:,} dots",))
    try:
        tables: dict[str, Any] = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        end = f"at line {text.count(_LINE_END) + 1}, column {len(text.rpartition(_LINE_END)[2]) + 1}"
        raise PolicyFileError(name, (str(error).replace("at end of document", end),)) from None
    except RecursionError:
        raise PolicyFileError(name, ("it is nested too deeply",)) from None
    except (ValueError, ArithmeticError):
        raise PolicyFileError(name, ("it has a number that is too long",)) from None
    from .policy_reader import read_tables  # with pydantic

    policy, config, url = read_tables(tables, name, folder or Path.cwd())
    return LoadedPolicy(policy, config, url, None if folder is None else Path(name))


_LINE_END: Final = "\n"

_lock = threading.Lock()
_environment: dict[str, LoadedPolicy] = {}


def policy_of_environment() -> LoadedPolicy | None:
    """What the file that ``AIRLOCK_POLICY`` names says, its policy frozen; None where it names none.

    It is read once in a process: to change it, start the process again.

    Raises:
        PolicyFileError, OSError: as :func:`load_policy`; a process whose policy is not readable makes no gate.
    """
    path = os.environ.get(ENVIRONMENT)
    if not path:
        return None
    with _lock:
        loaded = _environment.get(path)
        if loaded is None:
            read = load_policy(path)
            loaded = _environment[path] = LoadedPolicy(read.policy.freeze(), read.config, read.ledger_url, read.path)
        return loaded


def _after_fork() -> None:
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork)
