"""What a run must never show. A law that is broken ends the run, unless its mode gives the law up."""

from __future__ import annotations

from enum import StrEnum


class Law(StrEnum):
    """One checker each."""

    GRANT_FITS = "each grant fits: what stands and what is asked for are within the limit"
    GRANT_ALLOWED = "no grant in another period, over another one, on a frozen account, or for an id that has ended"
    HELD_STANDS = "an answer *held* means that this caller's holds stand, until its lease ends"
    RUNNING_STANDS = "while a call runs, what it was allowed stands on its accounts"
    ASKED = "a call that runs has asked every budget that it counts in, for all that it may cost"
    CAP = "what was billed is within the limit, but for what no grant had allowed"
    BOOKED = "what is booked is at least what was billed, for each id"
    ONCE = "real money is booked once for each id, and as it was told"
    OVERRUN = "overrun is what no grant had allowed, by cause"
    REFUSED_RIGHTLY = "a refusal tells what stands there, and that there is no room"
    NOTHING_PRESUMED = "a living caller leaves nothing presumed"
    NO_HOLD_LEFT = "no hold outlives its lease"
    TOTALS = "totals are the sum of the rows"
    TIME = "the ledger's time never runs back, and its answers are numbered in order"
    LEAP = "the ledger's time never leaps ahead of what can be, until an operator says that it is so"
    REPLAY = "the answers, in their order, follow from the rules"
    DURABLE = "what was acknowledged is there after a crash"
    ENDS = "without faults everything ends"
    SERVED = "without faults, who fits is served, and who waits has a reason"
    FLOW = "a flow raises blocks, and nothing else"


class Violation(AssertionError):
    """A law is broken. ``accounts`` are those where it shows."""

    def __init__(self, law: Law, text: str) -> None:
        super().__init__(f"{law.name}: {law.value}\n  {text}")
        self.law = law
