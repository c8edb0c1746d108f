"""The proof of a ledger's file: totals are the sum of the rows, and each row stands as its state says."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from ..commands import Check, CheckReport, Stamp
from .work import Work

MAX_PROBLEMS: Final = 1_000
"""Discrepancies that are named, at most."""

_TOTALS: Final = """
    SELECT a.id, a.settled, a.presumed, a.held, a.holds,
        a.opening_settled + coalesce(s.settled, 0), a.opening_presumed + coalesce(s.presumed, 0), coalesce(s.held, 0),
        coalesce(s.holds, 0)
    FROM accounts a LEFT JOIN (
        SELECT h.account AS account, count(*) AS holds,
            sum(CASE WHEN r.state NOT IN ('held', 'presumed') THEN h.booked ELSE 0 END) AS settled,
            sum(CASE WHEN r.state = 'presumed' THEN h.booked ELSE 0 END) AS presumed,
            sum(CASE WHEN r.state = 'held' THEN h.booked ELSE 0 END) AS held
        FROM holds h CROSS JOIN reservations r ON r.key = h.reservation
        GROUP BY h.account
    ) s ON s.account = a.key
    WHERE a.shut IS NOT 'saturated'
"""
"""Not of a saturated account: it counts no further than it can."""
_STATES: Final = """
    SELECT r.id, r.state, h.booked, h.amount FROM reservations r JOIN holds h ON h.reservation = r.key
    WHERE (r.state IN ('held', 'presumed') AND h.booked <> h.amount)
        OR (r.state IN ('lapsed', 'released', 'closed') AND h.booked <> 0)
        OR (r.state = 'held') <> (r.ended IS NULL)
"""
_ORPHANS: Final = """
    SELECT h.reservation, h.account FROM holds h
    WHERE NOT EXISTS (SELECT 1 FROM reservations r WHERE r.key = h.reservation)
        OR NOT EXISTS (SELECT 1 FROM accounts a WHERE a.key = h.account)
"""


def check(work: Work, command: Check, stamp: Stamp) -> CheckReport:
    (accounts,) = work.statements.only("SELECT count(*) FROM accounts")
    (reservations,) = work.statements.only("SELECT count(*) FROM reservations")
    return CheckReport(accounts, reservations, tuple(islice(_problems(work), MAX_PROBLEMS)), stamp)


def _problems(work: Work) -> Iterator[str]:
    for id, *counts in work.statements.all(_TOTALS):
        found, expected = counts[:4], counts[4:]
        if found[:3] != expected[:3]:
            yield f"{id}: settled, presumed, held are {found[:3]}; the rows say {expected[:3]}"
        if found[3] != expected[3]:
            yield f"{id}: {found[3]} holds point there; the rows have {expected[3]}"
    for id, state, booked, amount in work.statements.all(_STATES):
        yield f"reservation {id} is {state} and has {booked} booked of a hold of {amount}"
    for reservation, account in work.statements.all(_ORPHANS):
        yield f"a hold of reservation row {reservation} on account row {account}, of which one is not there"
    (ended,) = work.statements.only("SELECT count(*) FROM reservations WHERE ended IS NOT NULL")
    if ended != work.ended_rows:
        yield f"{work.ended_rows} reservations have ended; the rows have {ended}"
    for (said,) in work.statements.all("PRAGMA quick_check(10)"):
        if said != "ok":
            yield f"the file is damaged: {said}"
