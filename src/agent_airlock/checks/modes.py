"""Settings of the checks that a configuration names; apart, so that naming one loads no check."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

Mode = Literal["enforce", "observe"]
"""``"observe"`` counts and tells what it would block, and blocks nothing."""


def check_mode(mode: object, what: str) -> None:
    """Raises ValueError where ``mode`` is none; ``what`` names the field."""
    if mode not in ("enforce", "observe"):
        raise ValueError(f"{what} must be 'enforce' or 'observe', not {mode!r}")


class UnknownArgsMode(StrEnum):
    """What happens to arguments that the function does not have."""

    BLOCK = "block"
    STRIP_AND_LOG = "strip_and_log"
    """Left out, and their names are logged as a warning."""
    STRIP_SILENT = "strip_silent"
    """Left out."""
