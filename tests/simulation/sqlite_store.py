"""The ledger's file, on a disk that forgets in a power cut what was not synced; opened by several processes at once."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from agent_airlock.ledger.commands import AnyCommand
from agent_airlock.ledger.sqlite import SqliteLedger
from tests.ledger.clock import DAY_MS, START_MS
from tests.ledger.sqlite.disk import Disk
from tests.simulation.scheduler import Wall

NAME: Final = "budgets.db"
HANDLES: Final = 2
"""How many processes have the file open; each command goes through any of them."""

_TEMPLATES: Final[list[bytes]] = []


class SqliteStore:
    """A SQLite ledger that loses power. To the rest of the simulator it is a ledger."""

    is_async: ClassVar[Literal[False]] = False

    def __init__(self, wall: Wall, rng: random.Random, max_ended: int) -> None:
        self._wall = wall
        self._rng = rng
        self._max_ended = max_ended
        self._root = Path(tempfile.mkdtemp(prefix="simulation-"))
        self._lives = 0
        self._disk: Disk
        self._ledgers: list[SqliteLedger] = []
        self._open({NAME: _template()})

    def now_ms(self) -> int:
        return self._rng.choice(self._ledgers).now_ms()

    def apply(self, command: AnyCommand, /) -> Any:
        return self._rng.choice(self._ledgers).apply(command)

    def apply_and_lose_power(self, command: AnyCommand, at_sync: int) -> tuple[Any, bool]:
        """The answer, and whether it was given before the power went: at a sync of the command, or after it.

        ``at_sync``: the first, the second, …; 0 is after the answer.
        """
        disk, left = self._disk, None
        how = self._rng.choice(("nothing", "everything", "some", "some"))
        seed = self._rng.getrandbits(32)
        syncs = 0

        def cut() -> None:
            nonlocal syncs, left
            syncs += 1
            if syncs == at_sync:
                left = disk.left(how, seed)

        disk.before_sync = cut
        answer = self.apply(command)
        disk.before_sync = lambda: None
        given = left is None
        files: dict[str, bytes] = disk.left(how, seed) if left is None else left
        self._close()
        self._open(files)
        return answer, given

    def _open(self, files: dict[str, bytes]) -> None:
        """What a machine finds when it has power again."""
        folder = self._root / str(self._lives)
        self._lives += 1
        folder.mkdir()
        for name, content in files.items():
            if not name.endswith("-shm"):
                (folder / name).write_bytes(content)
        self._disk = Disk()
        self._disk.load(folder)
        self._ledgers = [self._opened(folder / NAME) for _ in range(HANDLES)]

    def _opened(self, path: Path) -> SqliteLedger:
        return SqliteLedger(
            path, vfs=self._disk.name, clock=self._wall, boot_clock=self._wall.boot, max_ended=self._max_ended
        )

    def _close(self) -> None:
        for ledger in self._ledgers:
            with suppress(Exception):
                ledger.close()
        self._ledgers = []
        self._disk.unregister()

    def close(self) -> None:
        """The run is over: nothing is left of it."""
        self._close()
        shutil.rmtree(self._root, ignore_errors=True)


def _template() -> bytes:
    """A new ledger's file, made once: of the day before any run, on a machine that has been started since."""
    if not _TEMPLATES:
        clock: Callable[[], int] = lambda: (START_MS - DAY_MS) * 1_000_000  # noqa: E731
        with tempfile.TemporaryDirectory(prefix="simulation-") as folder:
            path = Path(folder, NAME)
            SqliteLedger(path, clock=clock).close()
            _TEMPLATES.append(path.read_bytes())
    return _TEMPLATES[0]
