"""Settings of the checks that a configuration names; apart, so that naming one loads no check."""

from __future__ import annotations

from enum import StrEnum


class UnknownArgsMode(StrEnum):
    """What happens to arguments that the function does not have."""

    BLOCK = "block"
