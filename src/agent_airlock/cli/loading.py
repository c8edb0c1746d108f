"""The policy's file that a command is about."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from .terminal import WrongUsage

if TYPE_CHECKING:
    from ..policy_file import LoadedPolicy

T = TypeVar("T")


class Opened(NamedTuple):
    """A file that is a policy. ``warned`` is what reading it warned of."""

    file: str
    loaded: LoadedPolicy
    warned: tuple[str, ...]


def open_policy(file: Path | None) -> Opened:
    """The policy of ``file``, else of the file that ``AIRLOCK_POLICY`` names.

    Raises:
        WrongUsage: neither names one.
        PolicyFileError: the file is none.
        OSError: it cannot be read.
    """
    from ..policy_file import load_policy

    found = file or environment_file()
    if found is None:
        raise WrongUsage("name an airlock.toml, or set AIRLOCK_POLICY", param_hint="FILE")
    loaded, warned = noted(lambda: load_policy(found))
    return Opened(str(found), loaded, warned)


def environment_file() -> Path | None:
    """The file that ``AIRLOCK_POLICY`` names; an empty one counts as none."""
    from ..policy_file import ENVIRONMENT

    named = os.environ.get(ENVIRONMENT)
    return Path(named) if named else None


def noted(make: Callable[[], T]) -> tuple[T, tuple[str, ...]]:
    """What ``make`` returns, and what it warned of instead of warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = make()
    return made, tuple(str(warning.message) for warning in caught)
