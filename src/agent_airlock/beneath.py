"""Open a file below a folder, with no symlink on the way: for tools that want no gap between the check and the use."""

from __future__ import annotations

import errno
import functools
import os
import sys
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, Final, overload

if TYPE_CHECKING:
    from _typeshed import OpenBinaryMode, OpenTextMode

AnyPath = str | os.PathLike[str]

_OPENAT2: Final = 437
_MACHINES: Final = frozenset({"x86_64", "i686", "aarch64", "armv7l", "ppc64le", "riscv64", "s390x"})
"""Where Linux gives ``openat2`` that number. On others the way by single steps is taken."""
_RESOLVE: Final = 0x02 | 0x04 | 0x08
"""RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS and RESOLVE_BENEATH (linux/openat2.h)."""
_FOLDER: Final = (
    getattr(os, "O_PATH", os.O_RDONLY)
    | getattr(os, "O_DIRECTORY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)

_OpenAt = Callable[[int, str, int, int], int]
"""(folder's descriptor, path below it, flags, permissions) → descriptor."""


@overload
def open_beneath(
    root: AnyPath,
    path: AnyPath,
    mode: OpenTextMode = "r",
    *,
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    permissions: int = 0o666,
) -> IO[str]: ...
@overload
def open_beneath(
    root: AnyPath,
    path: AnyPath,
    mode: OpenBinaryMode,
    *,
    buffering: int = -1,
    encoding: None = None,
    errors: None = None,
    newline: None = None,
    permissions: int = 0o666,
) -> IO[bytes]: ...
@overload
def open_beneath(
    root: AnyPath,
    path: AnyPath,
    mode: str,
    *,
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    permissions: int = 0o666,
) -> IO[Any]: ...
def open_beneath(
    root: AnyPath,
    path: AnyPath,
    mode: str = "r",
    *,
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    permissions: int = 0o666,
) -> IO[Any]:
    """``open``, for a path that must stay below ``root`` and lead through no symlink, whatever changes meanwhile.

    On Linux 5.6 and newer one ``openat2`` with ``RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS``; else
    folder by folder with ``O_NOFOLLOW``, each from the descriptor of the one before. Hard links and mounts below the
    root are followed.

    Args:
        root: the folder. It may be a symlink, or lie behind one: it is the tool's own choice.
        path: below it: relative to it, or absolute and beginning with ``root`` as that is written. No ``..``.
        mode, buffering, encoding, errors, newline: as for ``open``.
        permissions: of a file that is made, less the process's umask.

    Raises:
        OSError: as ``open`` does; with ``EXDEV`` where the path leads out by its text, and with ``ELOOP`` (``ENOTDIR``
            for a folder, where single steps are taken) where a symlink is on the way.
        ValueError: a NUL in the path, or a mode that ``open`` does not know.
        NotImplementedError: the system cannot open a path from a folder's descriptor (Windows).
    """
    if os.open not in os.supports_dir_fd or not hasattr(os, "O_NOFOLLOW"):
        raise NotImplementedError("open_beneath needs a system that opens files from a folder's descriptor")
    below = _below(os.fspath(root), os.fspath(path))
    folder = os.open(root, _FOLDER & ~os.O_NOFOLLOW)
    try:
        return open(
            below,
            mode,
            buffering,
            encoding,
            errors,
            newline,
            opener=lambda name, flags: _open_at(folder, name, flags, permissions),
        )
    finally:
        os.close(folder)


def _below(root: str, path: str) -> str:
    """The path, relative to the root.

    Raises:
        OSError: with ``EXDEV``: by its text it leads out; with ``ENOENT``: it is empty.
    """
    if path.startswith("/"):
        start = f"{root.rstrip('/')}/"
        if not f"{path}/".startswith(start):
            raise OSError(errno.EXDEV, "the path does not lie below the root")
        path = path[len(start) :].lstrip("/") or "."
    if not path:
        raise OSError(errno.ENOENT, "the path is empty")
    if ".." in path.split("/"):
        raise OSError(errno.EXDEV, "the path has '..' in it")
    return path


def _open_at(folder: int, path: str, flags: int, permissions: int) -> int:
    openat2 = _openat2()
    if openat2 is not None:
        try:
            return openat2(folder, path, flags, permissions)
        except OSError as error:
            # An old kernel says ENOSYS, and so should a sandbox; some say EPERM. The other way tells which it was.
            if error.errno not in (errno.ENOSYS, errno.EPERM):
                raise
    return _by_steps(folder, path, flags, permissions)


def _by_steps(folder: int, path: str, flags: int, permissions: int) -> int:
    """Each folder from the one before, and the file from the last. Of two descriptors at most one is our own."""
    *folders, last = [name for name in path.split("/") if name and name != "."] or ["."]
    if path.endswith(("/", "/.")):
        folders, last = [*folders, last], "."
    here = folder
    try:
        for name in folders:
            there = os.open(name, _FOLDER, dir_fd=here)
            if here != folder:
                os.close(here)
            here = there
        return os.open(last, flags | os.O_NOFOLLOW, permissions, dir_fd=here)
    finally:
        if here != folder:
            os.close(here)


@functools.cache
def _openat2() -> _OpenAt | None:
    """The system call; None where this machine is not known to have it under that number."""
    if sys.platform != "linux" or os.uname().machine not in _MACHINES:
        return None
    try:
        import ctypes

        call = ctypes.CDLL(None, use_errno=True).syscall
    except (ImportError, OSError, AttributeError):
        return None
    call.restype = ctypes.c_long
    call.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)

    def openat2(folder: int, path: str, flags: int, permissions: int) -> int:
        how = (ctypes.c_uint64 * 3)(flags, permissions & 0o7777 if flags & os.O_CREAT else 0, _RESOLVE)
        while True:
            opened = call(_OPENAT2, folder, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how))
            if opened >= 0:
                return int(opened)
            code = ctypes.get_errno()
            if code != errno.EINTR:
                raise OSError(code, os.strerror(code), path)

    return openat2
