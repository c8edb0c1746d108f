"""A disk that a test controls: it fails when it is told to, and knows what a power cut would leave.

Everything is written through to real files. Beside that, for each file: what was synced, and what was written since.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import apsw

SECTOR: Final = 512
_numbers: Final = itertools.count()

Operation = Literal["write", "sync", "read", "truncate"]
Left = Literal["nothing", "everything", "some"]
"""What of the writes that were not synced a power cut leaves."""


class _Content:
    """A file's bytes when it was last synced, and what was done to it since."""

    def __init__(self) -> None:
        self.synced = b""
        self.since: list[tuple[int, bytes | None]] = []

    def sync(self) -> None:
        self.synced = _applied(self.synced, self.since)
        self.since.clear()

    def left(self, how: Left, chance: random.Random) -> bytes:
        if how == "everything":
            return _applied(self.synced, self.since)
        if how == "nothing":
            return self.synced
        return _applied(self.synced, [piece for piece in _sectors(self.since) if chance.random() < 0.5])


def _sectors(writes: list[tuple[int, bytes | None]]) -> Iterator[tuple[int, bytes | None]]:
    """A disk writes sectors, in any order; a page of several may be torn."""
    for offset, data in writes:
        if data is None:
            yield offset, None
        else:
            for start in range(0, len(data), SECTOR):
                yield offset + start, data[start : start + SECTOR]


def _applied(content: bytes, writes: list[tuple[int, bytes | None]]) -> bytes:
    after = bytearray(content)
    for offset, data in writes:
        if data is None:
            del after[offset:]
        else:
            after.extend(bytes(max(0, offset + len(data) - len(after))))
            after[offset : offset + len(data)] = data
    return bytes(after)


class Disk(apsw.VFS):
    """SQLite's own file layer, with this between."""

    def __init__(self) -> None:
        self.name: Final = f"disk-{next(_numbers)}"
        self.counts: dict[Operation, int] = {"write": 0, "sync": 0, "read": 0, "truncate": 0}
        self.contents: dict[str, _Content] = {}
        self.fail: Callable[[Operation, int, str], BaseException | None] = lambda operation, count, path: None
        self.before_sync: Callable[[], None] = lambda: None
        super().__init__(self.name, "")

    def xOpen(self, name: Any, flags: Any) -> Any:  # noqa: N802  (SQLite's name)
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        return _File(self, path, name, flags)

    def xDelete(self, path: str, sync: bool) -> None:  # noqa: N802
        self.contents.pop(path, None)
        super().xDelete(path, sync)

    def load(self, folder: Path) -> None:
        """What is in the folder now is on the disk."""
        for path in folder.iterdir():
            content = self.contents[str(path)] = _Content()
            content.synced = path.read_bytes()

    def left(self, how: Left, seed: int = 0) -> dict[str, bytes]:
        """What the files would hold after a power cut now, by name."""
        chance = random.Random(seed)
        return {Path(path).name: content.left(how, chance) for path, content in list(self.contents.items())}

    def happens(self, operation: Operation, path: str) -> None:
        self.counts[operation] += 1
        error = self.fail(operation, self.counts[operation], path)
        if error is not None:
            raise error


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, path: str | None, name: Any, flags: Any) -> None:
        self._disk = disk
        self._path = path or ""
        self._content = disk.contents.setdefault(path, _Content()) if path else _Content()
        super().__init__("", name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        self._disk.happens("read", self._path)
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._disk.happens("write", self._path)
        super().xWrite(data, offset)
        self._content.since.append((offset, bytes(data)))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._disk.happens("truncate", self._path)
        super().xTruncate(size)
        self._content.since.append((size, None))

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk.before_sync()
        try:
            self._disk.happens("sync", self._path)
        except BaseException:
            self._content.since.clear()  # a system forgets what it could not write, and says so only once
            raise
        self._content.sync()  # the machine itself does not lose power


@contextmanager
def disk() -> Iterator[Disk]:
    """A disk for as long as the block runs."""
    disk = Disk()
    try:
        yield disk
    finally:
        disk.fail = lambda operation, count, path: None
        disk.unregister()
