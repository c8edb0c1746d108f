"""Which paths a call may name: those inside of allowed roots, however they are written."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from stat import S_ISLNK
from typing import Any, Final, cast

from ..exceptions import PathViolation
from ..values import shown
from .modes import Mode, check_mode
from .path_text import MAX_BYTES, fault, folded, is_plain, readings

_MAX_LINKS: Final = 40
"""Symlinks in one resolution: MAXSYMLINKS of Linux (path_resolution(7))."""
_MAX_STEPS: Final = 1_024
"""Names in one resolution, those in links' targets among them. A bound of time: some 2 ms."""

RULES: Final[dict[str, tuple[str, str]]] = {
    "not_a_path": ("is not a path", "Pass a path as text."),
    "too_long": ("is longer than a path or a name can be", "At most 4,095 bytes, and 255 in each name."),
    "control_character": ("has a control character", "Leave out NUL, tabs, line ends and the like."),
    "not_unicode": ("is not whole Unicode text", "Use a name that is valid UTF-8."),
    "invisible_character": ("has an invisible character", "Leave out zero-width and direction characters."),
    "traversal": ("has '..' in it", "Write the path without '..'."),
    "home": ("begins with '~'", "Write the path out, from the root on."),
    "expansion": ("has a variable or a command in it", "Write the path out, without '$', '%' or backticks."),
    "encoded": ("reads as another path when it is decoded", "Write the path as it is, not percent-encoded."),
    "look_alike": ("has characters that read as '.' or '/'", "Use '.' and '/' themselves."),
    "url": ("is a URL", "Pass a path, without a scheme."),
    "windows_path": ("is a Windows path, or has a backslash", "Use '/', and no drive, share or device."),
    "stream": ("has a colon that is not a time's", "Use a name without ':'."),
    "device_name": ("has the name of a device in it", "Use a name that no system reserves."),
    "trailing_dot_or_space": ("has a name that ends in a dot or a space", "Leave it out."),
    "short_name": ("has a short name, such as 'NAME~1', in it", "Use the whole name."),
    "outside_roots": ("lies outside of the allowed folders", "Use a path inside of an allowed folder."),
    "symlink": ("leads through a symbolic link that is not followed", "Use the path that the link leads to."),
    "unresolvable": ("cannot be resolved", "Use a path whose folders can be read."),
    "denied_pattern": ("is denied by a pattern", "Use another file: this one is never allowed here."),
    "too_deep": ("has too many folders below its root", "Use a path with fewer folders."),
}
"""A rule → what is wrong, and what would pass."""
_OF_PLACES: Final = ("symlink", "outside_roots", "unresolvable")


@dataclass(frozen=True, slots=True)
class FilesystemPolicy:
    """Which paths a call may name. It is for POSIX systems.

    Args:
        allowed_roots: folders; kept as absolute texts, relative ones taken from the working directory of now. None:
            no path is allowed. A root may be a symlink; who can replace it, or a folder above it, chooses what is
            allowed.
        allow_symlinks: False blocks every symlink below a root, dangling ones too. True follows them, and what they
            lead to must lie inside a root.
        deny_patterns: globs of what is denied, with all that lies below it: each is matched with each name below a
            root, and with the path below it. ``*`` takes slashes too; ``**/`` any folders, or none. Case, look-alikes
            and percent-encoding make no difference.
        max_path_depth: names below the root at most; None: 4,095, as many as a path can have.
        mode: ``"observe"`` tells what would be blocked.

    Raises:
        ValueError, TypeError: naming the field, the value and what is allowed.
        NotImplementedError: on Windows, whose file names this check does not know well enough.
    """

    allowed_roots: Sequence[str | os.PathLike[str]]
    allow_symlinks: bool = False
    deny_patterns: Sequence[str] = ()
    max_path_depth: int | None = 64
    mode: Mode = "enforce"

    def __post_init__(self) -> None:
        if os.name != "posix":
            raise NotImplementedError("FilesystemPolicy works on POSIX systems only")
        roots, patterns = _listed("allowed_roots", self.allowed_roots), _listed("deny_patterns", self.deny_patterns)
        object.__setattr__(self, "allowed_roots", tuple(map(_root, roots)))
        object.__setattr__(self, "deny_patterns", tuple(map(_pattern, patterns)))
        if not isinstance(self.allow_symlinks, bool):
            raise TypeError(f"FilesystemPolicy.allow_symlinks must be True or False, not {self.allow_symlinks!r}")
        depth = MAX_BYTES if self.max_path_depth is None else self.max_path_depth
        object.__setattr__(self, "max_path_depth", depth)
        if type(depth) is not int or not 1 <= depth <= MAX_BYTES:
            raise ValueError(
                f"FilesystemPolicy.max_path_depth must be a whole number from 1 to {MAX_BYTES:,}, or None, "
                f"not {shown(depth)}"
            )
        check_mode(self.mode, "FilesystemPolicy.mode")

    def canonical(self) -> dict[str, Any]:
        """The settings as plain values, the same for every way to write them."""
        return {
            "allowed_roots": sorted(set(self._roots)),
            "allow_symlinks": self.allow_symlinks,
            "deny_patterns": sorted(set(map(folded, self.deny_patterns))),
            "max_path_depth": self.max_path_depth,
            "mode": self.mode,
        }

    @property
    def _roots(self) -> tuple[str, ...]:
        return cast("tuple[str, ...]", self.allowed_roots)


def check_path(policy: FilesystemPolicy, tool: str, argument: str, value: object) -> None:
    """Hold one path to the policy.

    A relative path is taken from the process's working directory, as the tool's own ``open`` takes it. A tool that
    joins it to a folder of its own opens something else: no ``..``, ``~`` or absolute path passes unseen, but symlinks
    in that folder are not looked at. Such a tool should open with :func:`agent_airlock.beneath.open_beneath`.

    What happens between this look and the tool's is not seen, and neither are hard links and mounts below a root.

    Args:
        tool, argument: which tool, and where in its arguments the path stands (``paths.2``), for the block.
        value: a text, bytes, or an ``os.PathLike``; anything else is no path.

    Raises:
        PathViolation: with the rule that it breaks, one of :data:`RULES`. It never repeats the path.
    """
    text = _text(value)
    rule = "not_a_path" if not text else _broken_rule(policy, text)
    if rule is not None:
        problem, hint = RULES[rule]
        if rule == "outside_roots":
            hint = f"Allowed folders: {', '.join(policy._roots[:10]) or 'none'}."
        raise PathViolation(f"{tool}: {argument} {problem}", argument=argument, rule=rule, hints=(hint,))


def _text(value: object) -> str | None:
    """What ``open`` would take the value for; None where it is no path. A number is a descriptor, not a path."""
    if type(value) is str:
        return value
    try:
        raw = cast("str | bytes", os.fspath(cast("Any", value)))
        # `open` reads the characters themselves, so what a subclass says of itself does not count.
        return bytes.decode(raw, "utf-8", "surrogateescape") if isinstance(raw, bytes) else str.__str__(raw)
    except Exception:
        return None


def _broken_rule(policy: FilesystemPolicy, text: str) -> str | None:
    if len(text) > MAX_BYTES:
        return "too_long"
    if not is_plain(text):
        if text.startswith("//"):
            return "windows_path"
        absolute = text[0] == "/"
        text = "/" * absolute + "/".join(_names(text))
        named = [root for root in policy._roots if root != "/" and _below(root, text) is not None]
        rule = fault(text[max(map(len, named), default=0) :])  # how a root is named is the operator's choice
        if rule is not None:
            return rule
    if text[:1] != "/":
        try:
            text = f"{os.getcwd().rstrip('/')}/{text}".rstrip("/") or "/"  # noqa: PTH109  (pathlib is slow here)
        except OSError:
            return "unresolvable"
    rule = _place(policy, text)
    if policy.allow_symlinks and rule in ("symlink", "outside_roots"):
        real = _resolved(text)
        followed = rule if real is None else _place(policy, real)
        if followed not in _OF_PLACES:
            return followed  # else the block must not tell what there is outside of the roots
    return rule


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name and name != "."]


def _below(root: str, path: str) -> str | None:
    """The path below the root, without a slash in front; None where it is not below it."""
    if path == root:
        return ""
    start = root if root == "/" else f"{root}/"
    return path[len(start) :] if path.startswith(start) else None


# --- where it lies -------------------------------------------------------------------------------------------


def _place(policy: FilesystemPolicy, path: str) -> str | None:
    """The rule that an absolute path without ``..`` breaks, as it is written; no symlink is followed."""
    roots = policy._roots
    places = [(root, below) for root in roots if (below := _below(root, path)) is not None]
    if not places or (policy.deny_patterns and len(roots) > 1):
        real = [root for root in map(_resolved, roots) if root is not None]
        places += [(root, below) for root in real if (below := _below(root, path)) is not None]
    if not places:
        return "outside_roots"
    if policy.deny_patterns and _denied(cast("tuple[str, ...]", policy.deny_patterns), {below for _, below in places}):
        return "denied_pattern"
    root, below = min(places, key=lambda place: len(place[1])) if len(places) > 1 else places[0]
    names = below.split("/") if below else []
    if len(names) > cast("int", policy.max_path_depth):
        return "too_deep"
    return _walk("" if root == "/" else root, names)


def _walk(path: str, names: list[str]) -> str | None:
    """Look at each name in turn, up to the first that does not exist."""
    for name in names:
        path = f"{path}/{name}"
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return "unresolvable"
        if S_ISLNK(mode):
            return "symlink"
    return None


def _resolved(path: str) -> str | None:
    """An absolute path with its symlinks followed; None where that cannot be done for sure.

    Not ``os.path.realpath``: that takes links of /proc by their text, and the kernel does not. What
    ``/proc/1/root`` leads to, in a container, is not the ``/`` that it reads.
    """
    real, ahead = "", _names(path)[::-1]
    links, exists = 0, True
    for _ in range(_MAX_STEPS):
        if not ahead:
            return real or "/"
        name = ahead.pop()
        if name == "..":
            if not exists:
                return None
            real = real.rpartition("/")[0]
            continue
        real = f"{real}/{name}"
        try:
            target = _target(real) if exists else None
        except FileNotFoundError:
            target, exists = None, False
        except (OSError, ValueError):
            return None
        if target is not None:
            links += 1
            if links > _MAX_LINKS or not target:
                return None
            ahead += _names(target)[::-1]
            real = "" if target[0] == "/" else real.rpartition("/")[0]
    return None


def _target(path: str) -> str | None:
    """What a symlink says; None for what is none, nothing for one of /proc.

    Those lie below /proc, or say another length than that of their text (proc(5)), wherever it is mounted.
    """
    found = os.lstat(path)
    if not S_ISLNK(found.st_mode):
        return None
    target = os.readlink(path)  # noqa: PTH115  (as above)
    magic = path.startswith("/proc/") or found.st_size != len(os.fsencode(target))
    return "" if magic else target


# --- patterns ------------------------------------------------------------------------------------------------


def _denied(patterns: tuple[str, ...], places: Iterable[str]) -> bool:
    matches = _matcher(patterns).fullmatch
    for reading in {folded(reading) for below in places for reading in readings(below)}:
        names = reading.split("/")
        if any(map(matches, names)) or any(matches("/".join(names[:end])) for end in range(2, len(names) + 1)):
            return True
    return False


@functools.lru_cache(maxsize=256)
def _matcher(patterns: tuple[str, ...]) -> re.Pattern[str]:
    from fnmatch import translate

    # A private character stands for `**/` while the rest is translated.
    globs = (translate(folded(pattern).replace("**/", "\ue000")) for pattern in patterns)
    return re.compile("|".join(globs).replace("\ue000", "(?:.*/)?"))


# --- settings ------------------------------------------------------------------------------------------------


def _listed(name: str, value: Any) -> list[Any]:
    items = value
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise TypeError(f"FilesystemPolicy.{name} must be a list, not {shown(items)}")
    return list(items)


def _root(value: Any) -> str:
    try:
        text = cast("object", os.fspath(value))
    except TypeError:
        text = None
    if not isinstance(text, str):
        raise TypeError(f"FilesystemPolicy.allowed_roots must hold texts and os.PathLike of texts, not {shown(value)}")
    if not text or text[0] == "~" or "\0" in text:
        raise ValueError(
            f"FilesystemPolicy.allowed_roots must hold paths written out, not empty, without '~', not {shown(text)}"
        )
    # `abspath` would take the `..` behind a symlink for the folder that the link stands in.
    absolute = os.path.realpath(text) if ".." in text.split("/") else os.path.abspath(text)  # noqa: PTH100
    return "/" + absolute.lstrip("/")


def _pattern(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"FilesystemPolicy.deny_patterns must hold texts, not {shown(value)}")
    pattern = value.removeprefix("./").rstrip("/")
    if not pattern or pattern[0] == "/" or ".." in pattern.split("/"):
        raise ValueError(
            f"FilesystemPolicy.deny_patterns must hold globs of names, or of paths below a root, not {shown(value)}"
        )
    return pattern
