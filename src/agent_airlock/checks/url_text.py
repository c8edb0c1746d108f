"""The text of a URL, read in the one way that all clients agree on; what any two could read differently is refused.

A reading takes nothing on trust from a parser: WHATWG's (browsers, pydantic), RFC 3986's (httpx), ``urllib`` and curl
disagree on userinfo, backslashes, control characters, short and octal addresses, dot segments and missing slashes.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

MAX_URL: Final = 8_000
"""Characters. RFC 9110 §4.1 asks every client and server to support at least 8,000 octets."""
SCHEMES: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
"""Scheme → its port where none is written. A WebSocket begins as a request to the same host and port."""

_MAX_NAME: Final = 253  # RFC 1035 §2.3.4: 255 octets on the wire
_ROUNDS: Final = 4
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_END: Final = re.compile(r"[/?#]")
_AUTHORITY: Final = re.compile(rf"((?:{_LABEL}\.)*({_LABEL})\.?|\[[0-9a-f:.]+\])(?::([1-9][0-9]{{0,4}}))?", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_BYTE: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_DOTTED: Final = re.compile(rf"{_BYTE}(?:\.{_BYTE}){{3}}", re.ASCII)
_ESCAPE: Final = re.compile(r"%([0-9a-fA-F]{2})")
_OVERLONG: Final = re.compile(r"%(?:c[01]%[89ab]|e0%[89])", re.IGNORECASE)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_SLASHES: Final = re.compile(r"[/\\]")
_LDH: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-")
_UNRESERVED: Final = _LDH | {".", "_", "~"}
_ASCII: Final = "".join(chr(code) for code in range(0x21, 0x7F))


class Refused(Exception):
    """A URL may not be used. ``rule`` names what it breaks; no part repeats the URL."""

    def __init__(self, rule: str, why: str, hint: str) -> None:
        super().__init__(why)
        self.rule = rule
        self.why = why
        self.hint = hint


class Reading(NamedTuple):
    """A URL's parts.

    Attributes:
        scheme: lower-case.
        host: a name in ASCII without its trailing dot, four decimal numbers, or ``[…]`` around an IPv6 address.
        port: the written one, or the scheme's.
        path: ``/`` where none is written; escapes as RFC 3986 §6.2.2 normalises them.
        query: with its ``?``, as written; empty where there is none.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str


def read(text: str) -> Reading:
    """Raises Refused where not all clients would go to the same place."""
    if len(text) > MAX_URL:
        raise Refused("too_long", f"it is longer than {MAX_URL:,} characters", "Use a shorter URL.")
    if " " in text or "\\" in text or not text.isprintable():
        raise Refused(
            "bad_character",
            "it holds a space, a backslash, or a character that cannot be seen",
            "Percent-encode every character that is not plain: %20 for a space, %5C for a backslash.",
        )
    scheme, found, rest = text.partition("://")
    scheme = scheme.lower()
    default = SCHEMES.get(scheme)
    if default is None or not found:
        raise Refused(
            "scheme",
            "it does not begin with an allowed scheme; what a client makes of that is its own choice",
            f"Begin it with {', '.join(f'{name}://' for name in SCHEMES)}.",
        )
    end = _END.search(rest)
    authority, tail = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    if tail[:1] in ("?", "#") and "@" in tail:
        raise Refused(
            "ambiguous",
            "it has an @ behind a host that no slash ends, and some clients go to what follows it",
            "Write a slash between the host and the ? or #.",
        )
    host, port = _place(authority)
    path, mark, query = tail.partition("#")[0].partition("?")
    return Reading(scheme, host, port or default, _path(path), mark + query)


# --- host and port -------------------------------------------------------------------------------------------


def _place(authority: str) -> tuple[str, int]:
    """The host, and the port or 0."""
    if len(authority) > _MAX_NAME + 8:  # a dot, a colon and five digits
        raise _bad_host("its host is longer than a name can be")
    match = _AUTHORITY.fullmatch(authority.lower() if authority.isascii() else _in_ascii(authority))
    if match is None:
        raise _unmatched(authority)
    host, last, port = match.groups()
    if port is not None and int(port) > 65_535:
        raise _bad_port()
    if last is None:
        return _ipv6(host), int(port or 0)
    if _NUMBER.fullmatch(last) and not _DOTTED.fullmatch(host):
        # WHATWG URL §3.5 "ends in a number checker": such a host is an address, or nothing.
        raise Refused(
            "address_spelling",
            "its host is a number, which clients read as an address in more than one way",
            "Write an IPv4 address as four decimal numbers, with no zero before and no dot behind.",
        )
    host = host.removesuffix(".")
    if len(host) > _MAX_NAME:
        raise _bad_host("its host is longer than a name can be")
    if "xn--" in host:
        _check_a_labels(host)
    return host, int(port or 0)


def _unmatched(authority: str) -> Refused:
    """Why an authority is none, in the order in which it helps to know."""
    if not authority or authority[0] == ":":
        return _bad_host("it has no host")
    if "@" in authority:
        return Refused(
            "userinfo",
            "it has something before an @, which clients take apart in different ways",
            "Leave out user, password and @; tools get credentials another way.",
        )
    if "%" in authority:
        return _bad_host("its host is percent-encoded or has a zone, which some clients undo and others do not")
    if re.fullmatch(rf"(?:\[[0-9a-f:.]+\]|(?:{_LABEL}\.)*{_LABEL}\.?):.*", authority, re.ASCII | re.IGNORECASE):
        return _bad_port()
    return _bad_host("its host is neither a name nor an address that all clients read alike")


def _bad_host(why: str) -> Refused:
    return Refused("host", why, "Use a plain host name: letters, digits, hyphens and dots; no percent signs.")


def _bad_port() -> Refused:
    return Refused(
        "port",
        "its port is not a plain number from 1 to 65535",
        "Leave the port out, or write it without zeros before it.",
    )


def _ipv6(host: str) -> str:
    from ipaddress import AddressValueError, IPv6Address

    try:
        return f"[{IPv6Address(host[1:-1]).compressed}]"
    except AddressValueError:
        pass
    raise _bad_host("what stands in brackets is not an IPv6 address")


# --- names that are not ASCII --------------------------------------------------------------------------------


def _in_ascii(authority: str) -> str:
    """An authority with ``xn--`` labels, where IDNA 2003 (``urllib``) and UTS 46 (WHATWG) agree on what they are."""
    host, colon, port = authority.partition(":")
    return ".".join(_a_label(label) for label in host.split(".")) + colon + port


def _a_label(label: str) -> str:
    from unicodedata import ucd_3_2_0

    lower = label.lower()
    if label.isascii():
        return lower
    # Letters and marks alone: no digit, dot, slash, @ or colon of another script. Of Unicode 3.2, which IDNA 2003
    # stands on: with later ones, clients differ in what is a letter, its lower case, or ignored.
    if all(char in _LDH or ucd_3_2_0.category(char)[0] in "LM" for char in label + lower):
        from encodings.idna import ToASCII

        # What IDNA 2003 changes in more than case is refused: full-width, circled and joined letters, what is not
        # composed, what is ignored, and ß and ς, which UTS 46 keeps.
        written = "xn--" + lower.encode("punycode").decode("ascii")
        try:
            if ToASCII(label) == written.encode("ascii"):
                return written
        except UnicodeError:
            pass  # letters of both directions, or longer than a label in punycode
    raise Refused(
        "host",
        "its host has characters that clients map to different names",
        "Write each label that is not ASCII in its xn-- form.",
    )


def _check_a_labels(host: str) -> None:
    """An ``xn--`` label must be what its own text is written as, or a client may make another name of it."""
    from unicodedata import normalize

    for label in host.split("."):
        if not label.startswith("xn--"):
            continue
        try:
            text = label[4:].encode("ascii").decode("punycode")
            again = text.encode("punycode").decode("ascii")
        except (UnicodeError, ValueError, OverflowError):
            text = again = ""
        if text.isascii() or again != label[4:] or normalize("NFKC", text) != text or text.lower() != text:
            raise _bad_host("its host has an xn-- label that stands for nothing, or not for that alone")


# --- the path ------------------------------------------------------------------------------------------------


def _path(path: str) -> str:
    if "%" not in path and path.isascii():
        if "/." in path and _climbs(path):
            raise _bad_path()
        return path or "/"
    if _OVERLONG.search(path):
        raise _bad_path()
    from unicodedata import normalize

    levels = decodings(path)
    if len(levels) > _ROUNDS or any(_climbs(normalize("NFKC", level)) or _CONTROL.search(level) for level in levels):
        raise _bad_path()
    from urllib.parse import quote

    return quote(_ESCAPE.sub(_normal, path), safe=_ASCII)


def decodings(text: str) -> list[str]:
    """A text, and what it becomes when it is decoded again and again: at most ``_ROUNDS`` times."""
    if "%" not in text:
        return [text]
    from urllib.parse import unquote

    levels = [text]
    while len(levels) <= _ROUNDS and (decoded := unquote(levels[-1])) != levels[-1]:
        levels.append(decoded)
    return levels


def _normal(escape: re.Match[str]) -> str:
    char = chr(int(escape[1], 16))
    return char if char in _UNRESERVED else escape[0].upper()


def _climbs(path: str) -> bool:
    """Whether a segment is ``.`` or ``..``, for servers that end it at a ``;`` or at a backslash too."""
    return any(segment.partition(";")[0] in (".", "..") for segment in _SLASHES.split(path))


def _bad_path() -> Refused:
    return Refused(
        "path",
        "its path has a . or .. segment, a control character, or more layers of encoding than it is safe to undo",
        "Write the path that is meant: no . or .. between slashes, encoded once.",
    )
