"""The text of a path: what it says, and what another reader of it (a shell, a decoder, Windows) would take it for."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator
from typing import Final

MAX_BYTES: Final = 4_095
"""Bytes of a path: Linux' PATH_MAX without its NUL (limits.h)."""
_MAX_NAME_BYTES: Final = 255
"""Bytes of one name: NAME_MAX of Linux' file systems (limits.h)."""
_MAX_ROUNDS: Final = 8
"""How often a text may be percent-encoded on top of itself; what is deeper is blocked unread."""

_compiled: Final = functools.cache(re.compile)  # at first use: compiling all at import would take a millisecond

_PLAIN: Final = r"(?a:/?(?:{name}/)*{name})".format(
    name=r"(?!(?i:con|prn|aux|nul|com\d|lpt\d)(?:[. /]|\Z))[\w+=,@()#&. -]{0,254}[\w+=,@()#&-]"
)
_PERCENT: Final = r"(?:%[0-9A-Fa-f]{2})+|%[uU][0-9A-Fa-f]{4}"
_OVERLONG: Final = rb"[\xc0\xc1]|[\xf8-\xfd][\x80-\xbf]|\xe0[\x80-\x9f]|\xf0[\x80-\x8f]"
"""Bytes that UTF-8 never has: RFC 3629, section 10, on ``C0 80`` and ``2F C0 AE 2E 2F``."""

_SUBSTITUTION: Final = r"\$[{(]|`[^`]*`|\$[A-Z_][A-Z0-9_]+(?!\w)"
_WINDOWS_VARIABLE: Final = r"%(?:[A-Z_][A-Z0-9_]{2,}|(?![0-9A-Fa-f]{2}|[uU][0-9A-Fa-f]{4})[A-Za-z_][\w()]*)%"
_SHELL_VARIABLE: Final = r"\$([\w*@#?!$-]\w*)"

_TIME: Final = r"(?<![0-9A-SU-Za-z])\d\d?:\d\d(?::\d\d)?(?!\d)"
"""``10:30:00``, on its own or behind the T of a date: the one use of a colon in ordinary names."""
_DRIVE: Final = r"/?[A-Za-z]:"
_URL: Final = r"[A-Za-z][A-Za-z0-9+-]+:"

_DEVICE: Final = r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9]|conin\$|conout\$|clock\$) *"
"""Microsoft, "Naming Files, Paths, and Namespaces": reserved with any extension."""
_SHORT_NAME: Final = r"(?=[^.]{1,8}(?:\.|\Z))[^.~]+~\d+(?:\.[^.]{0,3})?"

_JOINERS: Final = "\u200c\u200d"
_UNSEEN: Final = dict.fromkeys([*map(ord, _JOINERS), 0x034F, *range(0xFE00, 0xFE10)])
"""Characters that ordinary names have, that show nothing, and that some file systems skip."""
_SLASHES: Final = dict.fromkeys(map(ord, "\u2044\u2215\u2216\u2571\u29f5\u29f8\u29f9"), "/")
"""Slashes of other kinds, which Windows' best-fit tables turn into ``/`` and ``\\`` and normalisation does not."""


def is_plain(text: str) -> bool:
    """Whether a text is nothing but a path of common characters: a quick yes, of which :func:`fault` says None."""
    return _compiled(_PLAIN).fullmatch(text) is not None


def fault(text: str) -> str | None:
    """The rule that the text breaks, or None. It asks nothing of the disk."""
    names = text.split("/")
    return (
        _length(text, names)
        or _characters(text)
        or _hazard(text)
        or _windows_name(names)
        or _encoding(text)
        or _look_alike(text)
    )


def readings(text: str) -> Iterator[str]:
    """The text, and what percent-decoding makes of it, again and again, for at most eight rounds."""
    yield text
    for _ in range(_MAX_ROUNDS):
        decoded = _compiled(_PERCENT).sub(_decoded, text)
        if decoded == text:
            return
        yield (text := decoded)


def folded(text: str) -> str:
    """The text without case, look-alikes and invisible characters, for patterns to match."""
    if text.isascii():
        return text.lower()
    from unicodedata import normalize  # a large table, for the few that need it

    # Twice, since folding the case can undo normalisation (Unicode, toNFKC_Casefold).
    return normalize("NFKC", normalize("NFKC", text.translate(_UNSEEN)).casefold())


def _length(text: str, names: list[str]) -> str | None:
    long = _bytes(text) > MAX_BYTES or any(_bytes(name) > _MAX_NAME_BYTES for name in names)
    return "too_long" if long else None


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _characters(text: str) -> str | None:
    """Control characters, halves of characters, and those that show nothing.

    Spaces of other kinds, private and not yet assigned characters are ordinary (macOS writes U+202F into the names of
    screenshots), and so is a joiner between two letters that are not ASCII.
    """
    if text.isprintable():
        return None
    from unicodedata import category

    for place, character in enumerate(text):
        if character.isprintable():
            continue
        kind = category(character)
        if kind == "Cs":
            return "not_unicode"
        if kind in ("Cc", "Zl", "Zp"):
            return "control_character"
        if kind == "Cf" and not (
            character in _JOINERS and _joins(text[place - 1 : place], text[place + 1 : place + 2])
        ):
            return "invisible_character"
    return None


def _joins(before: str, behind: str) -> bool:
    return not before.isascii() and not behind.isascii()


def _hazard(text: str) -> str | None:
    """What leads elsewhere in the text itself, or in what it decodes to."""
    if "\\" in text:
        return "windows_path"
    if ".." in text.split("/"):
        return "traversal"
    if text.startswith("~"):
        return "home"
    if ":" in text and (rule := _colon(text)):
        return rule
    return "expansion" if _expands(text) else None


def _colon(text: str) -> str | None:
    rest = _compiled(_TIME).sub("", text)
    if ":" not in rest:
        return None
    if _compiled(_DRIVE).match(rest):
        return "windows_path"
    return "url" if _compiled(_URL).match(rest) else "stream"


def _expands(text: str) -> bool:
    """Whether a shell, ``os.path.expandvars`` or Windows would put something else in its place.

    ``Outer$Inner.class`` is an ordinary name: a lone ``$name`` counts where the environment has it, where it is
    written in capitals as POSIX has it (Base Definitions, 8.1), or where leaving it out makes a ``..``.
    """
    if "$" in text:
        variable = _compiled(_SHELL_VARIABLE)
        if any(name in os.environ for name in variable.findall(text)) or ".." in variable.sub("", text).split("/"):
            return True
    return any(_compiled(pattern).search(text) for pattern in (_SUBSTITUTION, _WINDOWS_VARIABLE))


def _windows_name(names: list[str]) -> str | None:
    """Names that Windows reads as others: devices, trailing dots and spaces, short names."""
    for name in names:
        if _compiled(_DEVICE).fullmatch(folded(name).partition(".")[0]):
            return "device_name"
        if name.endswith((".", " ")) and name != ".":
            return "trailing_dot_or_space"
        if _compiled(_SHORT_NAME).fullmatch(name):
            return "short_name"
    return None


def _encoding(text: str) -> str | None:
    """Whether decoding makes another path of it. A name that merely has ``%41`` in it is one."""
    if "%" not in text:
        return None
    slashes, rounds = text.count("/"), list(readings(text))
    if len(rounds) > _MAX_ROUNDS:
        return "encoded"
    for reading in rounds[1:]:
        if reading.count("/") != slashes or _characters(reading) or _hazard(reading):
            return "encoded"
    return None


def _decoded(match: re.Match[str]) -> str:
    written = match[0]
    if written[1] in "uU":
        return chr(int(written.lstrip("%uU"), 16))
    raw = bytes.fromhex(written.replace("%", ""))
    # An overlong character has only been seen to stand for one that is blocked: so it reads as one that is.
    return "\0" if _compiled(_OVERLONG).search(raw) else raw.decode("utf-8", "replace")


def _look_alike(text: str) -> str | None:
    """Whether normalisation (NFKC), or taking slashes of other kinds for slashes, makes another path of it."""
    for reading in readings(text):
        if reading.isascii():
            continue
        from unicodedata import normalize

        slashes = reading.count("/")
        seen = reading.translate(_UNSEEN)
        for likeness in (normalize("NFKC", seen), seen.translate(_SLASHES)):
            names = likeness.split("/")
            if len(names) != slashes + 1 or "\\" in likeness or ".." in names or names[0] == "~":
                return "look_alike"
    return None
