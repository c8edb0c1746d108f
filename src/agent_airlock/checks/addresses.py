"""What a host leads to, by its text alone: the public internet, a private place, or a cloud's metadata service.

Ranges are those of IANA's special-purpose registries of IPv4 and IPv6 addresses. No name is resolved, so a name that
anybody can point anywhere counts as public: what a resolver answers is for the client to check.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final, Literal

Kind = Literal["public", "private", "metadata", "carrier", "unclear"]
"""``"private"``: whatever is neither public nor metadata; loopback, multicast and reserved too. ``"carrier"``: an IPv6
address that holds an IPv4 one. ``"unclear"``: a name that resolves to what is written in it, which is not plainly
public addresses alone."""

_V4: Final[dict[Kind, tuple[str, ...]]] = {
    "metadata": (
        # Link-local, where nearly every cloud has its own, and nothing else is worth a call: .169.254 of most,
        # .170.2 and .170.23 of AWS ECS and EKS, .0.23 of Tencent, .42.42 of Scaleway.
        "169.254.0.0/16",
        "100.100.100.200/32",  # Alibaba Cloud: "Instance metadata"
        "168.63.129.16/32",  # Microsoft: "What is IP address 168.63.129.16?"
        "192.0.0.192/32",  # Oracle Cloud Infrastructure Classic
    ),
    "private": (
        "0.0.0.0/8",  # this network; Linux takes 0.0.0.0 for itself
        "10.0.0.0/8",  # RFC 1918
        "100.64.0.0/10",  # RFC 6598, behind a carrier's NAT
        "127.0.0.0/8",  # loopback
        "172.16.0.0/12",  # RFC 1918
        "192.0.0.0/24",  # RFC 6890, protocol assignments
        "192.0.2.0/24",  # RFC 5737, documentation
        "192.88.99.0/24",  # RFC 7526, once 6to4 relays
        "192.168.0.0/16",  # RFC 1918
        "198.18.0.0/15",  # RFC 2544, benchmarking
        "198.51.100.0/24",  # RFC 5737
        "203.0.113.0/24",  # RFC 5737
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    ),
    "public": ("0.0.0.0/0",),
}
"""The first that holds an address says what it is."""
_V6: Final[dict[Kind, tuple[str, ...]]] = {
    "metadata": (
        "fe80::/10",  # link-local; fe80::a9fe:a9fe of OpenStack
        "fd00:ec2::/32",  # AWS: ::254 of EC2, ::23 of EKS Pod Identity, ::123 and ::253
        "fd20:ce::254/128",  # Google Compute Engine, on instances with IPv6 alone
        "fd00:c1::a9fe:a9fe/128",  # Oracle Cloud: oci-python-sdk, instance_principals_security_token_signer.py
        "fd00:42::42/128",  # Scaleway: cloud-init, datasources/scaleway.rst
        "fd00:a9fe:a9fe::1/128",  # Akamai: cloud-init, datasources/akamai.rst
        "fd00:100::100:200/128",  # Alibaba Cloud: cloud-init, DataSourceAliYun
    ),
    "carrier": (
        "::ffff:0:0/96",  # RFC 4291 §2.5.5.2, IPv4-mapped
        "::ffff:0:0:0/96",  # RFC 2765, IPv4-translated
        "64:ff9b::/96",  # RFC 6052, NAT64
        "64:ff9b:1::/48",  # RFC 8215, NAT64
        "2001::/32",  # RFC 4380, Teredo
        "2002::/16",  # RFC 3056, 6to4
    ),
    "private": (
        "2001::/23",  # RFC 2928: benchmarking, ORCHID, and other protocols' own
        "2001:db8::/32",  # RFC 3849, documentation
        "3ffe::/16",  # RFC 3701, given back
        "3fff::/20",  # RFC 9637, documentation
    ),
    # RFC 4291 §2.4: global unicast, as far as IANA gives it out.
    "public": ("2000::/3",),
}
"""The first that holds an address says what it is. Loopback, ULA, site-local, multicast … are in none: private."""
_ISATAP: Final = 0x5EFE
"""RFC 5214 §6.1: the interface identifier is 0000:5efe or 0200:5efe, and an IPv4 address."""

_NOT_DELEGATED: Final = (
    *("localhost", "local", "test", "invalid", "home.arpa"),  # RFC 6761, RFC 6762, RFC 8375
    "internal",  # ICANN, resolution 2024.07.29.06
    *("intranet", "private", "corp", "home", "lan"),  # RFC 6762 appendix G
    *("localdomain", "svc", "default", "consul"),  # of /etc/hosts, Kubernetes and Consul
)
_LOOPBACK_NAMES: Final = (
    *("localtest.me", "lvh.me", "vcap.me", "lacolhost.com", "fuf.me", "localho.st", "local.gd"),
    *("lndo.site", "ddev.site", "spoofed.burpcollaborator.net", "bugbounty.dod.network"),
)
"""Names in the public DNS that are always this machine."""
_SPELLING: Final = frozenset(
    ("nip.io", "sslip.io", "xip.io", "traefik.me", "backname.io", "local-ip.co", "plex.direct", "ip.es.io")
)
"""Services that resolve a name to the address that is written in it. It cannot be complete: anybody can run one."""
_REBINDING: Final = ("1u.ms", "rbndr.us", "rebind.network", "rebind.it")
"""Services made for attacks, which resolve one name to one address first, and then to another."""
_METADATA_NAMES: Final = (
    *("metadata.google.internal", "metadata.goog"),  # Google: "About VM metadata"
    "metadata.tencentyun.com",  # Tencent Cloud: "Viewing instance metadata"
    "api.metadata.cloud.ibm.com",  # IBM: VPC metadata API
    *("metadata.platformequinix.com", "metadata.packet.net"),  # Equinix Metal
    "metadata.exoscale.com",  # Exoscale
)
_METADATA_LABELS: Final = frozenset({"metadata", "instance-data", "rancher-metadata"})
"""What a search domain completes to a metadata service: ``instance-data.ec2.internal``, or ``metadata`` alone."""

_NAMES: Final[dict[str, Kind]] = {
    **dict.fromkeys(_NOT_DELEGATED, "private"),
    **dict.fromkeys(_LOOPBACK_NAMES, "private"),
    **dict.fromkeys((*_SPELLING, *_REBINDING), "unclear"),
    **dict.fromkeys(_METADATA_NAMES, "metadata"),
}

_QUAD: Final = re.compile(r"(?<![0-9])(?=([0-9]+[.-][0-9]+[.-][0-9]+[.-][0-9]+))", re.ASCII)
_HEX: Final = re.compile(r"(?<![0-9a-f])(?=([0-9a-f]{8})(?![0-9a-f]))", re.ASCII)
_DECIMAL: Final = re.compile(r"[1-9][0-9]{0,2}|0", re.ASCII)


def kind_of(host: str) -> Kind:
    """``host`` as :func:`url_text.read` gives it: a name, four decimal numbers, or an IPv6 address in brackets."""
    if host[0] == "[":
        return _kind_of_v6(host[1:-1])
    return _kind_of_v4(host) if host.rpartition(".")[2].isdecimal() else _kind_of_name(host)


def _kind_of_name(name: str) -> Kind:
    known, dot = name, "."
    while dot and known not in _NAMES:
        _, dot, known = known.partition(".")
    if known in _SPELLING:
        return _kind_of_spelled(name.removesuffix(known).removesuffix("."))
    # A name without a dot is looked up in the hosts file, or in the machine's own domain.
    kind = _NAMES.get(known, "public" if "." in name else "private")
    return "metadata" if kind == "private" and name.partition(".")[0] in _METADATA_LABELS else kind


def _kind_of_spelled(written: str) -> Kind:
    """Public only where addresses can be read and every one is public: the services read one name in several ways."""
    if "--" in written or any(label.count("-") > 6 for label in written.split(".")):
        return "unclear"  # two dashes, or seven: an IPv6 address
    found: set[Kind] = set()
    for quad in _QUAD.findall(written):
        parts = re.split("[.-]", quad)
        if not all(_DECIMAL.fullmatch(part) and int(part) < 256 for part in parts):
            return "unclear"
        found.add(_kind_of_v4(".".join(parts)))
    for digits in _HEX.findall(written):
        found.add(_kind_of_v4(".".join(str(byte) for byte in bytes.fromhex(digits))))
    if not found:
        return "unclear"
    return "metadata" if "metadata" in found else "private" if "private" in found else "public"


# --- addresses -----------------------------------------------------------------------------------------------


def _kind_of_v4(text: str) -> Kind:
    from ipaddress import IPv4Address

    return _kind_in(4, int(IPv4Address(text)))


def _kind_of_v6(text: str) -> Kind:
    from ipaddress import IPv6Address

    value = int(IPv6Address(text))
    if 1 < value < 1 << 32 or (value >> 32) & 0xFDFF_FFFF == _ISATAP:
        return "carrier"  # all that :: and ::1 leave of RFC 4291 §2.5.5.1, IPv4-compatible
    return _kind_in(6, value)


def _kind_in(version: Literal[4, 6], value: int) -> Kind:
    for first, mask, kind in _ranges(version):
        if value & mask == first:
            return kind
    return "private"


@cache
def _ranges(version: Literal[4, 6]) -> tuple[tuple[int, int, Kind], ...]:
    """First address, mask and kind."""
    from ipaddress import ip_network

    return tuple(
        (int(network.network_address), int(network.netmask), kind)
        for kind, texts in (_V4 if version == 4 else _V6).items()
        for network in map(ip_network, texts)
    )
