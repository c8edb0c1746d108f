"""What a caller remembers of a book's answers, so that one from before them is seen.

A ledger that was restored from a copy, or whose place another took, does not know what was held and spent since: it
would grant that money a second time. Its answers give it away, for every answer says where it stands in the history.
"""

from __future__ import annotations

from ..exceptions import LedgerWentBack
from .commands import Stamp


class Watch:
    """The newest that one book has answered in this process.

    Read ``newest`` before a command is sent, and give it to :meth:`see` with the answer: answers of commands that were
    under way together may come in any order, but none may be from before what was known when it was asked for.
    Threads may share one; where two answers come at the same moment it may keep the older, and never a false alarm.
    """

    __slots__ = ("newest",)

    def __init__(self) -> None:
        self.newest: Stamp | None = None

    def see(self, stamp: Stamp, before: Stamp | None) -> None:
        """Compare an answer with what was known before its command was sent, and remember it.

        Raises:
            LedgerWentBack: another ledger answered, or this one from an earlier state.
        """
        if before is not None:
            if stamp.ledger != before.ledger:
                raise LedgerWentBack(
                    f"the ledger {stamp.ledger} answered in the place of {before.ledger}: nothing may be spent on it "
                    "until this process starts anew"
                )
            if (stamp.epoch, stamp.seq) < (before.epoch, before.seq):
                raise LedgerWentBack(
                    f"the ledger {stamp.ledger} answered from {stamp.epoch}.{stamp.seq}, and had answered from "
                    f"{before.epoch}.{before.seq}: it was restored, or an older copy took its place"
                )
        newest = self.newest
        if newest is None or (stamp.epoch, stamp.seq) > (newest.epoch, newest.seq):
            self.newest = stamp
