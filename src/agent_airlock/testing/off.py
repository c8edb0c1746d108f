"""Gates that are off: gated functions run as if nobody had gated them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from ..binding import SWITCH
from ..events import log

_lock: Final = threading.Lock()


@contextmanager
def airlock_off() -> Generator[None, None, None]:
    """While the block runs, in every thread and task of the process, no gate checks, holds or counts anything.

    The gates' own keywords (``_airlock_tier`` and its siblings) are left out of the call, as ever. Blocks may nest and
    overlap; gates are on again when the last has ended. It is a decorator as well. That gates are off is logged as a
    warning: in a program that runs for real nobody should see it.
    """
    with _lock:
        SWITCH.off += 1
    log(logging.WARNING, "gates are off: agent_airlock.testing.airlock_off")
    try:
        yield
    finally:
        with _lock:
            SWITCH.off -= 1
