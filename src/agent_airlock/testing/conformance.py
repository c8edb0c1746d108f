"""The suite that every ledger passes, for a ledger of one's own: pytest and unittest run it, and it imports neither.

::

    from agent_airlock.testing.conformance import LedgerConformance

    class TestMyLedger(LedgerConformance):
        supports = {"resolve", "freeze"}

        def make_ledger(self, clock):
            return MyLedger(clock=clock)

Under unittest the class is a ``TestCase`` as well: ``class TestMyLedger(LedgerConformance, unittest.TestCase)``.
"""

from __future__ import annotations

from .conformance_identity import IdentityTests, RealCostTests
from .conformance_leases import LeaseTests, SaturationTests
from .conformance_limits import LimitTests, SeveralAccountsTests
from .conformance_machine import MachineTests
from .conformance_operators import EntriesTests, OperatorTests
from .conformance_order import OrderTests
from .conformance_periods import PeriodTests
from .conformance_races import RaceTests
from .conformance_stamps import StampTests
from .conformance_suite import OPTIONAL
from .conformance_table import TableTests

__all__ = ["OPTIONAL", "LedgerConformance"]


class LedgerConformance(
    TableTests,
    OrderTests,
    LimitTests,
    SeveralAccountsTests,
    PeriodTests,
    IdentityTests,
    RealCostTests,
    LeaseTests,
    SaturationTests,
    OperatorTests,
    EntriesTests,
    StampTests,
    RaceTests,
    MachineTests,
):
    """Rules 1, 2, 3, 4, 5 and 7 of the money, as far as a ledger alone can show them. Subclass it, as ``Test…``.

    Each test makes a new ledger and ends with an audit. What is wrong is an ``AssertionError`` that says what was
    sent, what was answered, and what must be. That a ledger is durable (rule 6) no test in one process can show.

    A subclass has ``make_ledger``; ``supports`` names what of ``OPTIONAL`` its ledger has; ``seeds`` and ``steps`` say
    how many random runs there are beside the memory ledger, and how long they are.
    """
