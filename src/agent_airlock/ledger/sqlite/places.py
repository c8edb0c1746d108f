"""Where a ledger's file may lie: on a file system of this machine, whose locks hold."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from ...exceptions import LedgerUnavailable

_LINUX: Final = {
    0x6969: "nfs",
    0x517B: "smb",
    0xFF534D42: "cifs",
    0xFE534D42: "smb2",
    0x01021997: "9p",
    0x564C: "ncp",
    0x73757245: "coda",
    0x5346414F: "afs",
    0x6B414653: "afs",
    0x00C36400: "ceph",
    0x0BD00BD0: "lustre",
    0x47504653: "gpfs",
    0x7461636F: "ocfs2",
    0x01161970: "gfs2",
}
"""``f_type`` of what is not of this machine alone (linux/magic.h, and statfs(2))."""
_BUFFER: Final = 4_096
_DARWIN_FLAGS: Final = 64
_DARWIN_NAME: Final = 72
_DARWIN_LOCAL: Final = 0x1000
"""Offsets in Darwin's ``struct statfs`` with 64-bit inodes, and MNT_LOCAL (sys/mount.h)."""
_WINDOWS_REMOTE: Final = 4
"""DRIVE_REMOTE, of GetDriveTypeW."""


def refuse_network(folder: Path) -> None:
    """Refuse a folder on a network file system, where SQLite's locks do not hold.

    Raises:
        LedgerUnavailable: naming the folder and its file system.
    """
    name = network_file_system(folder)
    if name is not None:
        raise LedgerUnavailable(
            f"{folder} is on a network file system ({name}), where SQLite's locks do not hold: put the ledger on a "
            "disk of this machine"
        )


def network_file_system(folder: Path) -> str | None:
    """The name of the folder's file system if it is one of the network, else None."""
    if sys.platform == "win32":
        return _on_windows(folder)
    if sys.platform not in ("linux", "darwin"):
        return None
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(_BUFFER)
    statfs = getattr(libc, "statfs$INODE64", None) if sys.platform == "darwin" else None
    if (statfs or libc.statfs)(os.fsencode(folder), buffer) != 0:
        number = ctypes.get_errno()
        raise LedgerUnavailable(f"{folder}: {os.strerror(number)}")
    raw = buffer.raw
    if sys.platform == "darwin":
        flags = int.from_bytes(raw[_DARWIN_FLAGS : _DARWIN_FLAGS + 4], sys.byteorder)
        name = raw[_DARWIN_NAME : _DARWIN_NAME + 16].split(b"\0", 1)[0].decode("ascii", "replace")
        return None if flags & _DARWIN_LOCAL else name
    kind = int.from_bytes(raw[: ctypes.sizeof(ctypes.c_long)], sys.byteorder) & 0xFFFFFFFF
    return _LINUX.get(kind)


def _on_windows(folder: Path) -> str | None:
    import ctypes

    windows = getattr(ctypes, "windll")  # noqa: B009  (only there)
    root = folder.resolve().anchor
    return "network drive" if windows.kernel32.GetDriveTypeW(root) == _WINDOWS_REMOTE else None
