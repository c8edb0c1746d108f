"""Where a call may go: the URLs among its arguments, judged by their text.

No name is resolved. What a name leads to is decided when the client resolves it, so a name that anybody owns may lead
to a private address after all (DNS rebinding), and a public server may redirect there: a client that matters pins the
address that it has looked at, and follows no redirect that was not judged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Any, Final, NamedTuple, cast

from ..exceptions import EndpointBlocked
from .addresses import Kind, kind_of
from .modes import Mode, check_mode
from .url_text import SCHEMES, Reading, Refused, decodings, read

_FORMS: Final = "like 'api.example.com', '*.example.com', 'https://api.example.com/v1/', 'api.example.com:8443' or ':*'"
_ENTRY: Final = re.compile(r"(?:([a-z]+)://)?(\*\.)?([^/?#]*?)(?::(\*|[0-9]+))?(/[^?#]*)?", re.IGNORECASE | re.ASCII)
_MAX_SHOWN: Final = 20
_OWN: Final = 0
_ANY: Final = -1


class _Entry(NamedTuple):
    """One of ``allowed_endpoints``."""

    scheme: str
    """Empty for each of them."""
    host: str
    port: int
    """``_OWN`` for the scheme's own, or ``_ANY``."""
    path: str

    def allows(self, url: Reading) -> bool:
        """Its host is known to be right."""
        return (
            self.scheme in ("", url.scheme)
            and (self.port == _ANY or url.port == (self.port or SCHEMES[url.scheme]))
            and (url.path.startswith(self.path) if self.path.endswith("/") else url.path == self.path)
        )

    def __str__(self) -> str:
        scheme = f"{self.scheme}://" if self.scheme else ""
        port = {_OWN: "", _ANY: ":*"}.get(self.port, f":{self.port}")
        return f"{scheme}{self.host}{port}{'' if self.path == '/' else self.path}"


@dataclass(frozen=True, slots=True)
class EndpointPolicy:
    """Where the URLs of a tool may lead.

    Args:
        allowed_endpoints: empty allows every public host, anything else only what it names:

            - ``api.example.com`` or ``93.184.216.34`` or ``[2606:4700::1]``: this host;
            - ``*.example.com``: every name below ``example.com``, at any depth, not ``example.com`` itself;
            - ``https://…`` (or http, ws, wss) before it: this scheme alone; without, each of the four;
            - ``:8443`` behind it: this port alone; ``:*``: every port; without, the scheme's own;
            - ``/v1/`` behind that: paths that begin so; ``/v1``: this path alone. Case counts. Any query is allowed.

        blocked_patterns: globs that beat what is allowed. Each is held against the host alone, with its path, and with
            path and query; each with and without scheme, and port where that is not the scheme's own; as normalised
            and as decoded. Case does not count. In plain ASCII: a host's ``xn--`` form, a path's percent-encoding.
            ``[`` begins a set: write ``?`` for the brackets of an IPv6 address.
        allow_private_ips: hosts that are not on the public internet: private, loopback, multicast and reserved
            addresses, names without a dot or in a private domain. Not those of metadata services.
        allow_metadata_urls: the clouds' metadata services, and all link-local addresses, where they are.
        mode: ``"observe"`` tells what it would block, and blocks nothing.

    Raises:
        ValueError, TypeError: naming the field, the value and what is allowed; also for an allowed endpoint that the
            other settings block.
    """

    allowed_endpoints: Sequence[str] = ()
    blocked_patterns: Sequence[str] = ()
    allow_private_ips: bool = False
    allow_metadata_urls: bool = False
    mode: Mode = "enforce"
    _allowed: dict[str, tuple[_Entry, ...]] = field(init=False, repr=False, compare=False)
    _blocked: tuple[re.Pattern[str], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("allowed_endpoints", "blocked_patterns"):
            object.__setattr__(self, name, _texts(f"EndpointPolicy.{name}", getattr(self, name)))
        for name in ("allow_private_ips", "allow_metadata_urls"):
            if type(getattr(self, name)) is not bool:
                raise TypeError(f"EndpointPolicy.{name} must be True or False, not {getattr(self, name)!r}")
        check_mode(self.mode, "EndpointPolicy.mode")
        allowed: dict[str, tuple[_Entry, ...]] = {}
        for text in self.allowed_endpoints:
            entry = _entry(text)
            self._check_reach(text, entry)
            allowed[entry.host] = (*allowed.get(entry.host, ()), entry)
        object.__setattr__(self, "_allowed", allowed)
        patterns = [_pattern(text) for text in self.blocked_patterns]
        object.__setattr__(self, "_blocked", tuple(re.compile(translate(pattern)) for pattern in patterns))

    def _check_reach(self, text: str, entry: _Entry) -> None:
        """An entry that can never match would be a mistake that nobody sees."""
        kind = kind_of(entry.host.replace("*", "x"))
        wanted = _wants(kind)
        if wanted and not getattr(self, wanted):
            raise ValueError(f"EndpointPolicy.allowed_endpoints: {text!r} is not public, and needs {wanted}=True")
        if kind in ("carrier", "unclear") and not entry.host.startswith("*."):
            raise ValueError(f"EndpointPolicy.allowed_endpoints: {text!r} is blocked whatever is allowed")

    def canonical(self) -> dict[str, Any]:
        """Plain values for a digest: the same for every way to write the same policy."""
        return {
            "allowed_endpoints": self._shown(),
            "blocked_patterns": sorted({_pattern(text) for text in self.blocked_patterns}),
            "allow_private_ips": self.allow_private_ips,
            "allow_metadata_urls": self.allow_metadata_urls,
            "mode": self.mode,
        }

    def _shown(self) -> list[str]:
        return sorted({str(entry) for entries in self._allowed.values() for entry in entries})

    def _judge(self, url: Reading) -> None:
        """Raises Refused where the URL leads, or may lead, where it may not."""
        self._judge_host(url.host)
        if self._blocked and any(pattern.match(view) for view in _views(url) for pattern in self._blocked):
            raise Refused("blocked_pattern", "the policy blocks it by a pattern", "Use another URL.")
        if self._allowed and not any(entry.allows(url) for entry in self._entries_of(url.host)):
            shown = self._shown()
            raise Refused(
                "not_allowed",
                "it is none of the endpoints that the policy allows",
                f"Allowed endpoints: {', '.join(shown[:_MAX_SHOWN])}{', …' if len(shown) > _MAX_SHOWN else ''}.",
            )

    def _judge_host(self, host: str) -> None:
        kind = kind_of(host)
        if kind == "public":
            return
        if kind == "carrier":
            raise Refused(
                "address_spelling",
                "its host is an IPv6 address that stands for an IPv4 one",
                "Write the IPv4 address itself.",
            )
        if kind == "unclear":
            raise Refused(
                "wildcard_dns",
                "its host is a name that resolves to whatever is written in it",
                "Use the name or the address that is meant.",
            )
        wanted = _wants(kind)
        if not getattr(self, wanted):
            what = "a cloud's metadata service" if kind == "metadata" else "a place that is not on the public internet"
            raise Refused(
                f"{kind}_address", f"its host leads, or may lead, to {what}", f"Use a public host: {wanted} is not set."
            )

    def _entries_of(self, host: str) -> tuple[_Entry, ...]:
        entries = self._allowed.get(host, ())
        below = host.partition(".")[2]
        while below:
            entries += self._allowed.get(f"*.{below}", ())
            below = below.partition(".")[2]
        return entries


def check_url(policy: EndpointPolicy, tool: str, argument: str, value: object) -> None:
    """Whether a URL among the arguments may be used; ``argument`` says where it stands, like ``urls.2``.

    Text, bytes and pydantic's URLs are read; anything else is no URL, ``None`` too.

    Raises:
        EndpointBlocked: it may not. ``rule`` is ``not_a_url``, ``too_long``, ``bad_character``, ``scheme``,
            ``ambiguous``, ``userinfo``, ``host``, ``port``, ``path``, ``address_spelling``, ``private_address``,
            ``metadata_address``, ``wildcard_dns``, ``blocked_pattern`` or ``not_allowed``.
    """
    try:
        policy._judge(read(_text(value)))
        return
    except Refused as error:
        refused = error
    raise EndpointBlocked(
        f"{tool}: the URL in {argument!r} may not be used: {refused.why}",
        argument=argument,
        rule=refused.rule,
        hints=(refused.hint,),
    )


def _text(value: object) -> str:
    """The characters themselves: no method of a subclass has a say, and what is not UTF-8 is left unreadable."""
    kind = type(value)
    if issubclass(kind, str):
        return str.__str__(cast("str", value))
    if issubclass(kind, bytes):
        return bytes.decode(cast("bytes", value), "utf-8", "surrogateescape")
    from pydantic import AnyUrl
    from pydantic_core import Url

    if issubclass(kind, (AnyUrl, Url)):
        with suppress(Exception):  # of a subclass
            return str.__str__(str(value))
    raise Refused("not_a_url", "it is not a URL", "Pass one absolute URL as text.")


def _wants(kind: Kind) -> str:
    """The setting that allows a kind of host; empty where none has to, or none does."""
    return {"private": "allow_private_ips", "metadata": "allow_metadata_urls"}.get(kind, "")


# --- what a policy is written in -----------------------------------------------------------------------------


def _texts(what: str, value: object) -> tuple[str, ...]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise TypeError(f"{what} must be a list of texts, not {value!r}")
    texts = tuple(cast("Sequence[object]", value))
    for text in texts:
        if not isinstance(text, str) or not text:
            raise TypeError(f"{what} must be a list of texts that are not empty, not {text!r}")
    return cast("tuple[str, ...]", texts)


def _entry(text: str) -> _Entry:
    match = _ENTRY.fullmatch(text)
    why = "it has a query, a fragment, or no shape at all"
    if match is not None:
        scheme, below, name, port, path = match.groups("")
        number = "" if port in ("", "*") else f":{port}"
        try:
            url = read(f"{scheme or 'https'}://{'x.' if below else ''}{name}{number}{path}")
        except Refused as refused:
            why = refused.why
        else:
            host = f"*.{url.host.removeprefix('x.')}" if below else url.host
            own = not port or (scheme and url.port == SCHEMES[url.scheme])
            return _Entry(scheme.lower(), host, _ANY if port == "*" else _OWN if own else url.port, url.path)
    raise ValueError(f"EndpointPolicy.allowed_endpoints must be {_FORMS}, not {text!r}: {why}")


def _pattern(text: str) -> str:
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError(
            "EndpointPolicy.blocked_patterns must be globs in plain ASCII (a host's xn-- form, a path's "
            f"percent-encoding), not {text!r}"
        )
    return text.lower()


def _views(url: Reading) -> list[str]:
    """What a blocked pattern is held against: all in lower case."""
    hosts = [url.host] if url.port == SCHEMES[url.scheme] else [url.host, f"{url.host}:{url.port}"]
    whole = url.path + url.query
    paths = ["", *decodings(url.path)]
    if url.query:
        paths += decodings(whole)
    paths = [path.lower() for path in paths]
    return [f"{scheme}{host}{path}" for scheme in ("", f"{url.scheme}://") for host in hosts for path in paths]
