"""What holds for every URL: nothing but a block comes out, no private address gets through in any spelling, and what
gets through is read alike by every parser that is at hand."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import urllib.parse
import urllib.request

import httpx2
import pytest
from hypothesis import assume, event, example, given
from hypothesis import strategies as st
from pydantic import AnyUrl, ValidationError

from agent_airlock.checks.endpoints import EndpointPolicy, check_url
from agent_airlock.checks.url_text import read
from agent_airlock.exceptions import EndpointBlocked
from tests.checks.urls import hostile_urls

OPEN = EndpointPolicy()
STRICT = EndpointPolicy(["https://api.example.com/v1/", "*.example.org:*"], ["*/admin*", "*[0-9a-f]*x*y*z*"])
LAX = EndpointPolicy(allow_private_ips=True)
CASES = hostile_urls()
METADATA = [
    ipaddress.ip_network(text)
    for text in ("169.254.0.0/16", "100.100.100.200/32", "192.0.0.192/32", "168.63.129.16/32")
]


def passes(policy: EndpointPolicy, value: object) -> bool:
    try:
        check_url(policy, "fetch", "url", value)
    except EndpointBlocked:
        return False
    return True


# --- strategies ----------------------------------------------------------------------------------------------

TRICKY = "\\@#?/:.%[]; \t\n\r\x00\x7f\xa0\xad\u200b\u2024\u2100\u3002\uff0e\uff0f\uff1a\uff20\uff61\u2460ßſK1aA-_~*,$"
private_v4 = st.one_of(
    *(
        st.integers(0, network.num_addresses - 1).map(lambda offset, network=network: int(network[0]) + offset)
        for network in map(
            ipaddress.IPv4Network,
            (
                *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
                *("192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
                *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32"),
            ),
        )
    )
)


@st.composite
def number(draw: st.DrawFn, value: int) -> str:
    """A number as inet_aton(3) reads it, or as some client may."""
    base = draw(st.sampled_from("dxXoO"))
    zeros = "0" * draw(st.integers(0, 4))
    if base == "d":
        return str(value)
    if base in "xX":
        return f"0{base}{zeros}{value:{base}}"
    return f"0{zeros}{value:o}"


@st.composite
def v4_text(draw: st.DrawFn, value: int) -> str:
    """An address in one to four parts, each in a base of its own."""
    parts = draw(st.integers(1, 4))
    tail_bits = 8 * (5 - parts)
    numbers = [value >> 24 - 8 * place & 0xFF for place in range(parts - 1)] + [value & (1 << tail_bits) - 1]
    return ".".join(draw(number(part)) for part in numbers)


@st.composite
def v6_text(draw: st.DrawFn, value: int) -> str:
    """An IPv6 address that carries an IPv4 one, in one of its spellings, in brackets."""
    high, low = value >> 16, value & 0xFFFF
    dotted = str(ipaddress.IPv4Address(value))
    flipped = value ^ 0xFFFF_FFFF
    text = draw(
        st.sampled_from(
            [
                *(f"::ffff:{dotted}", f"::ffff:{high:x}:{low:x}", f"0:0:0:0:0:ffff:{high:04x}:{low:04x}"),
                *(f"::{dotted}", f"::{high:x}:{low:x}", f"::ffff:0:{dotted}"),
                *(f"64:ff9b::{dotted}", f"64:ff9b::{high:x}:{low:x}", f"64:ff9b:1::{high:x}:{low:x}"),
                f"64:ff9b:1:{high:x}:{low >> 8:x}:{(low & 0xFF) << 8:x}::",
                *(f"2002:{high:x}:{low:x}::", f"2002:{high:x}:{low:x}:1:2:3:4:5"),
                f"2001:0:4136:e378:8000:63bf:{flipped >> 16:x}:{flipped & 0xFFFF:x}",
                *(f"2a00:1450::5efe:{high:x}:{low:x}", f"2a00:1450::200:5efe:{high:x}:{low:x}"),
            ]
        )
    )
    return f"[{draw(st.sampled_from([text, text.upper()]))}{draw(st.sampled_from(['', '', '%25eth0', '%lo']))}]"


@st.composite
def disguised(draw: st.DrawFn, text: str) -> str:
    """A host with some characters in another form that one client or another turns back."""
    forms = {
        ".": ["\u3002", "\uff0e", "\uff61", "%2e", "\u2024", ".\u200b", ".\t"],
        **{str(digit): [chr(0xFF10 + digit), f"%3{digit}", f"{digit}\xad"] for digit in range(10)},
        "1": ["\uff11", "\u2460", "\xb9", "%31", "\u0661"],
    }
    chosen = draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)))
    return "".join(
        draw(st.sampled_from(forms[char])) if wanted and char in forms else char
        for char, wanted in zip(text, chosen, strict=True)
    )


@st.composite
def around(draw: st.DrawFn, host: str) -> str:
    """A URL with this host, plain or with something about it."""
    scheme = draw(
        st.sampled_from(["http://", "https://", "HTTP://", "ws://", "wss://", "http:/", "http:", "//", "http:\\\\"])
    )
    before = draw(st.sampled_from(["", "", "", "@", "example.com@", "example.com:80@", "a:b@c@", "example.com\\@"]))
    dots = draw(st.sampled_from(["", "", ".", ".."]))
    port = draw(st.sampled_from(["", "", ":80", ":8080", ":", ":0", ":00080"]))
    behind = draw(
        st.sampled_from(["", "/", "/x", "#@example.com/", "?@example.com/", "\\@example.com/", "/../x", "?x", "#x"])
    )
    return f"{scheme}{before}{host}{dots}{port}{behind}"


public_urls = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["http://", "https://", "wss://", "HTTPS://"]),
    st.one_of(
        st.from_regex(r"\A[a-z0-9]([a-z0-9_-]{0,5}[a-z0-9])?(\.[a-z0-9]{1,5}){0,2}\.(com|org|de)\.?\Z"),
        st.text(st.characters(categories=["Ll", "Lu", "Lo", "Mn", "Nd"]), min_size=1, max_size=6).map("{}.com".format),
        st.ip_addresses(v=4).map(str),
        st.ip_addresses(v=6).map("[{}]".format),
    ),
    st.sampled_from(["", ":8443", ":80"]),
    st.text("abcXYZ019/?#@:.%;=&-_~ü", max_size=12).map(lambda text: text and "/" + text),
)
mutated = st.builds(
    lambda text, place, cut, new: text[: place % (len(text) + 1)] + new + text[place % (len(text) + 1) + cut :],
    st.one_of(public_urls, st.sampled_from([case.text for case in CASES if len(case.text) < 200])),
    st.integers(0, 60),
    st.integers(0, 2),
    st.text(TRICKY, max_size=3),
)


# --- properties ----------------------------------------------------------------------------------------------


@given(
    st.one_of(
        st.text(),
        st.binary(),
        st.text(TRICKY).map("http://{}".format),
        mutated,
        st.recursive(st.none() | st.integers() | st.floats() | st.builds(object), st.lists),
    )
)
def test_nothing_but_a_block_comes_out(value: object) -> None:
    for policy in (OPEN, STRICT, LAX):
        passes(policy, value)


@given(st.data(), private_v4)
def test_no_private_address_passes_in_any_spelling(data: st.DataObject, value: int) -> None:
    host = data.draw(st.one_of(v4_text(value), v6_text(value), st.just(str(ipaddress.IPv4Address(value)))))
    if data.draw(st.booleans()):
        host = data.draw(disguised(host))
    url = data.draw(around(host))
    assert not passes(OPEN, url)
    if any(ipaddress.IPv4Address(value) in network for network in METADATA):
        assert not passes(LAX, url)


@given(st.data(), st.integers(1, 50))
def test_no_private_address_passes_that_overflows(data: st.DataObject, times: int) -> None:
    value = data.draw(private_v4) + times * 2**32
    assert not passes(OPEN, f"http://{data.draw(number(value))}/")


@given(private_v4, st.sampled_from([".", "-"]), st.sampled_from(["", "app.", "app-", "app", "8.8.8.8."]))
def test_no_private_address_passes_in_a_wildcard_name(value: int, separator: str, before: str) -> None:
    dotted = str(ipaddress.IPv4Address(value)).replace(".", separator)
    for suffix in ("nip.io", "sslip.io", "xip.io", "traefik.me", "1u.ms"):
        assert not passes(OPEN, f"http://{before}{dotted}.{suffix}/")
        assert not passes(OPEN, f"http://{value:08x}.{suffix}/")


@given(st.ip_addresses(v=6))
@example(ipaddress.IPv6Address("fec0::1"))
@example(ipaddress.IPv6Address("5f00::1"))
def test_an_ipv6_address_passes_only_where_the_standard_library_calls_it_global(address: ipaddress.IPv6Address) -> None:
    if passes(OPEN, f"http://[{address}]/"):
        assert address.is_global
        assert not address.is_multicast


@given(st.one_of(public_urls, mutated))
@example("https://münchen.de/")
@example("https://xn--mnchen-3ya.de:8443/x?y#z")
@example("https://my_bucket.example.com./")
@example("https://[2606:4700:0::1111]/")
@example("http://1.1.1.1:8080/")
def test_what_passes_is_read_alike_by_every_parser_and_is_public(url: str) -> None:
    allowed = passes(OPEN, url)
    event("passes" if allowed else "is blocked")
    assume(allowed)
    judged = read(url)
    read_by = {**urllib_reads(url), **others_read(url)}
    assert set(read_by.values()) <= {(judged.host.strip("[]"), judged.port)}, read_by
    address = numeric(judged.host.strip("[]"))
    assert address is None or (address.is_global and not address.is_multicast)


@pytest.mark.long
@pytest.mark.parametrize("form", ["{}.com", "a{}b.com", "م{}م.com"])
def test_every_character_that_passes_in_a_name_is_read_alike_by_every_parser(form: str) -> None:
    passed = 0
    for code in (*range(0x80, 0xD800), *range(0xE000, 0x32000), *range(0xE0000, 0xE0200)):
        url = f"http://{form.format(chr(code))}/"
        if passes(OPEN, url):
            passed += 1
            assert set({**urllib_reads(url), **others_read(url)}.values()) == {(read(url).host, 80)}, hex(code)
    assert passed > 500


@given(st.one_of(public_urls, mutated), st.sampled_from(["https://api.example.com/v1/", "*.com", "http://*.de:*"]))
def test_a_list_of_allowed_endpoints_only_takes_away(url: str, entry: str) -> None:
    if passes(EndpointPolicy([entry]), url):
        assert passes(OPEN, url)


@given(st.one_of(public_urls, mutated))
def test_text_bytes_and_pydantics_url_are_judged_alike(url: str) -> None:
    try:
        encoded = url.encode()
    except UnicodeEncodeError:
        assume(False)
        return
    assert passes(OPEN, encoded) == passes(OPEN, url)
    if passes(OPEN, url):
        try:
            parsed = AnyUrl(url)
        except ValidationError:
            return
        assert passes(OPEN, parsed)


# --- other parsers -------------------------------------------------------------------------------------------


def urllib_reads(url: str) -> dict[str, tuple[str, int]]:
    """Where ``urllib.parse``, ``urllib.request`` and ``http.client`` would go."""
    ports = {"http": 80, "https": 443, "ws": 80, "wss": 443}
    split = urllib.parse.urlsplit(url)
    scheme = split.scheme
    request = urllib.request.Request(url)
    connection = http.client.HTTPConnection(request.host)
    found = {
        "urllib.parse": (split.hostname or "", split.port or ports[scheme]),
        "http.client": (connection.host, connection.port if ":" in request.host.rpartition("]")[2] else ports[scheme]),
    }
    return {name: (plain(host), port) for name, (host, port) in found.items()}


def others_read(url: str) -> dict[str, tuple[str, int]]:
    """Where pydantic's parser (WHATWG) and httpx's (RFC 3986, IDNA 2008) would go, if they take it."""
    ports = {"http": 80, "https": 443, "ws": 80, "wss": 443}
    found: dict[str, tuple[str, int]] = {}
    try:
        parsed = AnyUrl(url)
    except ValidationError:
        pass
    else:
        found["pydantic"] = plain(parsed.host or ""), parsed.port or ports[parsed.scheme]
    try:
        other = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError):
        pass
    else:
        found["httpx"] = plain(other.raw_host.decode("ascii")), other.port or ports[other.scheme]
    return found


def plain(host: str) -> str:
    """A host as one name, whichever way a parser writes it."""
    host = host.strip("[]").removesuffix(".")
    if ":" in host:
        return ipaddress.IPv6Address(host).compressed
    return host.encode("idna").decode("ascii").lower()


def numeric(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that the C library reads a host as; None where it would ask a name server."""
    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    return ipaddress.ip_address(found[0][4][0])
