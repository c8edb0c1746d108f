"""For tests of gated code: a clock to move, gates that are off, ledgers that record or fail, a suite for ledgers.

The package itself uses none of it. See the page "Test gated code" of the documentation.
"""

from __future__ import annotations

from .clock import Clock
from .ledgers import RecordingLedger, async_ledger
from .off import airlock_off

__all__ = ["Clock", "RecordingLedger", "airlock_off", "async_ledger"]
