"""Which URLs a policy lets through, case by case; `test_endpoints_properties.py` has the rest."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from pydantic import AnyUrl, HttpUrl
from pydantic_core import Url

from agent_airlock.checks.endpoints import EndpointPolicy, check_url
from agent_airlock.checks.url_text import MAX_URL
from agent_airlock.exceptions import BlockReason, EndpointBlocked
from tests.checks.urls import Case, hostile_urls

CASES = hostile_urls()
OPEN = EndpointPolicy()
RULES = {
    *("not_a_url", "too_long", "bad_character", "scheme", "ambiguous", "userinfo", "host", "port", "path"),
    *("address_spelling", "private_address", "metadata_address", "wildcard_dns", "blocked_pattern", "not_allowed"),
}


def rule(policy: EndpointPolicy, value: object) -> str:
    """The rule that blocks a value; empty where it passes."""
    try:
        check_url(policy, "fetch", "urls.2", value)
    except EndpointBlocked as block:
        return block.rule if block.rule in RULES else f"{block.rule} is no rule"
    return ""


def case_id(case: Case) -> str:
    return case.name


# --- the corpus ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_the_corpus_is_judged_as_it_says(case: Case) -> None:
    assert bool(rule(OPEN, case.text)) == (case.verdict == "block"), case.source


@pytest.mark.parametrize("case", [case for case in CASES if case.verdict == "block"], ids=case_id)
def test_a_block_repeats_nothing_of_the_url(case: Case) -> None:
    if not rule(OPEN, case.text):
        pytest.fail("it passes")
    marked = f"{case.text}\\?s3cret" if "@" not in case.text else case.text.replace("@", ":s3cret@", 1)
    with pytest.raises(EndpointBlocked) as caught:
        check_url(OPEN, "fetch", "url", marked)
    block = caught.value
    assert "s3cret" not in f"{block.message} {block.hints} {block.to_block_metadata()} {block!r}"
    assert block.__context__ is None
    assert block.__cause__ is None


def test_a_block_says_where_and_which_rule() -> None:
    with pytest.raises(EndpointBlocked) as caught:
        check_url(OPEN, "fetch", "urls.2", "http://127.0.0.1/")
    block = caught.value
    assert block.reason is BlockReason.ENDPOINT_BLOCKED
    assert (block.argument, block.rule) == ("urls.2", "private_address")
    assert "fetch" in block.message
    assert "urls.2" in block.message
    assert block.hints


def test_every_case_of_the_corpus_has_its_own_name_and_text() -> None:
    assert len({case.name for case in CASES}) == len({case.text for case in CASES}) == len(CASES)
    assert sum(case.verdict == "pass" for case in CASES) >= 50


# --- what is no URL ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [None, 0, 1.5, True, [], {}, object(), ["https://example.com/"], bytearray(b"https://example.com/"), str, AnyUrl],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_text_is_no_url(value: object) -> None:
    assert rule(OPEN, value) == "not_a_url"


def test_bytes_are_read_as_text() -> None:
    assert rule(OPEN, b"https://example.com/") == ""
    assert rule(OPEN, b"http://127.0.0.1/") == "private_address"
    assert rule(OPEN, b"https://example.com/\xff") == "bad_character"


@pytest.mark.parametrize("kind", [AnyUrl, HttpUrl, Url])
def test_urls_of_pydantic_are_read(kind: Any) -> None:
    assert rule(OPEN, kind("https://example.com/")) == ""
    assert rule(OPEN, kind("http://127.1/")) == "private_address"


def test_a_pydantic_url_that_cannot_be_written_is_no_url() -> None:
    class Broken(AnyUrl):
        def __str__(self) -> str:
            raise RuntimeError("s3cret")

    assert rule(OPEN, Broken("https://example.com/")) == "not_a_url"


def test_a_text_that_lies_is_read_by_its_characters() -> None:
    class Liar(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "https://example.com/"

        def partition(self, _: str, /) -> tuple[str, str, str]:
            return "https", "://", "example.com/"

        def isprintable(self) -> bool:
            return True

        def __len__(self) -> int:
            return 1

    class BytesLiar(bytes):
        def decode(self, *_: object, **__: object) -> str:
            return "https://example.com/"

    class Disguised:
        __class__ = str  # type: ignore[assignment]

    assert rule(OPEN, Liar("http://127.0.0.1/")) == "private_address"
    assert rule(OPEN, BytesLiar(b"http://127.0.0.1/")) == "private_address"
    assert rule(OPEN, Disguised()) == "not_a_url"


def test_a_url_has_at_most_8000_characters() -> None:
    start = "https://example.com/"
    assert rule(OPEN, start + "x" * (MAX_URL - len(start))) == ""
    assert rule(OPEN, start + "x" * (MAX_URL - len(start) + 1)) == "too_long"
    assert rule(OPEN, "x" * 10_000_000) == "too_long"


# --- private and metadata ------------------------------------------------------------------------------------

PRIVATE = ["http://10.0.0.1/", "http://[::1]/", "http://[fd12::1]/", "http://localhost/", "http://db.internal/"]
METADATA = [
    *("http://169.254.169.254/", "http://169.254.170.2/", "http://100.100.100.200/", "http://168.63.129.16/"),
    *("http://192.0.0.192/", "http://[fd00:ec2::254]/", "http://[fd20:ce::254]/", "http://[fe80::a9fe:a9fe]/"),
    *("http://metadata.google.internal/", "http://metadata/", "http://instance-data.ec2.internal/"),
    *("http://instance-data.eu-west-1.compute.internal/", "http://metadata.goog/", "http://169.254.169.254.nip.io/"),
]
SPELLED = ["http://2130706433/", "http://127.1/", "http://[::ffff:10.0.0.1]/", "http://[64:ff9b::a00:1]/"]


@pytest.mark.parametrize("url", PRIVATE)
def test_private_hosts_are_allowed_by_their_own_setting_alone(url: str) -> None:
    assert rule(OPEN, url) == "private_address"
    assert rule(EndpointPolicy(allow_metadata_urls=True), url) == "private_address"
    assert rule(EndpointPolicy(allow_private_ips=True), url) == ""


@pytest.mark.parametrize("url", METADATA)
def test_metadata_services_are_allowed_by_their_own_setting_alone(url: str) -> None:
    assert rule(OPEN, url) == "metadata_address"
    assert rule(EndpointPolicy(allow_private_ips=True), url) == "metadata_address"
    assert rule(EndpointPolicy(allow_metadata_urls=True), url) == ""


@pytest.mark.parametrize("url", SPELLED)
def test_no_setting_allows_an_address_in_another_spelling(url: str) -> None:
    assert rule(EndpointPolicy(allow_private_ips=True, allow_metadata_urls=True), url) == "address_spelling"


@pytest.mark.parametrize("url", ["http://x.nip.io/", "http://0--1.sslip.io/", "http://01010101.08080808.rbndr.us/"])
def test_no_setting_allows_a_name_that_could_resolve_to_anything(url: str) -> None:
    assert rule(EndpointPolicy(allow_private_ips=True, allow_metadata_urls=True), url) == "wildcard_dns"


def test_private_addresses_in_a_wildcard_name_are_private() -> None:
    assert rule(OPEN, "http://10-0-0-1.nip.io/") == "private_address"
    assert rule(EndpointPolicy(allow_private_ips=True), "http://10-0-0-1.nip.io/") == ""


# --- allowed endpoints ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "passes", "blocked"),
    [
        (
            "api.example.com",
            [
                "https://api.example.com/",
                "http://API.example.com./x",
                "wss://api.example.com",
                "https://api.example.com:443/",
            ],
            [
                "https://example.com/",
                "https://x.api.example.com/",
                "https://api.example.com:8443/",
                "http://api.example.com:443/",
            ],
        ),
        (
            "*.example.com",
            ["https://a.example.com/", "https://a.b.example.com/"],
            [
                "https://example.com/",
                "https://badexample.com/",
                "https://a.example.com.evil.com/",
                "https://a.example.com:81/",
            ],
        ),
        (
            "https://api.example.com",
            ["https://api.example.com/", "https://api.example.com/v1?x#y"],
            ["http://api.example.com/", "wss://api.example.com/", "https://api.example.com:8443/"],
        ),
        (
            "https://api.example.com/v1/",
            [
                "https://api.example.com/v1/",
                "https://api.example.com/v1/users?id=1",
                "https://api.example.com/v%31/users",
            ],
            [
                *("https://api.example.com/", "https://api.example.com/v1", "https://api.example.com/v10/"),
                *(
                    "https://api.example.com/V1/x",
                    "https://api.example.com/v1%2Fx",
                    "https://api.example.com/v1/../admin",
                ),
                *("https://api.example.com/?/v1/", "https://api.example.com/v1/..%2fadmin"),
            ],
        ),
        (
            "api.example.com/status",
            ["https://api.example.com/status", "http://api.example.com/status?full=1"],
            ["https://api.example.com/status/", "https://api.example.com/status/x", "https://api.example.com/"],
        ),
        (
            "api.example.com:8443",
            ["https://api.example.com:8443/", "http://api.example.com:8443/x"],
            ["https://api.example.com/", "https://api.example.com:443/"],
        ),
        (
            "https://*.example.com:*/v1/",
            ["https://a.example.com/v1/x", "https://a.example.com:9000/v1/"],
            ["https://a.example.com:9000/v2/", "http://a.example.com/v1/x"],
        ),
        ("münchen.de", ["https://münchen.de/", "https://xn--mnchen-3ya.de/"], ["https://munchen.de/"]),
        ("example.com/ü/", ["https://example.com/%C3%BC/x", "https://example.com/ü/x"], ["https://example.com/u/"]),
        ("93.184.216.34", ["http://93.184.216.34/"], ["http://93.184.216.35/"]),
        ("[2606:4700::1111]:8443", ["https://[2606:4700:0:0::1111]:8443/"], ["https://[2606:4700::1111]/"]),
    ],
)
def test_only_what_an_entry_names_is_allowed(entry: str, passes: list[str], blocked: list[str]) -> None:
    policy = EndpointPolicy(allowed_endpoints=[entry])
    assert {url: rule(policy, url) for url in passes} == dict.fromkeys(passes, "")
    assert {rule(policy, url) for url in blocked} <= {"not_allowed", "path"}


def test_one_of_several_entries_is_enough() -> None:
    policy = EndpointPolicy(allowed_endpoints=["https://example.com/a/", "https://example.com/b/", "*.example.org"])
    assert rule(policy, "https://example.com/b/x") == ""
    assert rule(policy, "https://www.example.org/") == ""
    assert rule(policy, "https://example.net/") == "not_allowed"


def test_a_block_tells_what_is_allowed() -> None:
    with pytest.raises(EndpointBlocked) as caught:
        check_url(
            EndpointPolicy(allowed_endpoints=["https://api.example.com/v1/"]), "fetch", "url", "https://evil.com/"
        )
    assert caught.value.hints == ("Allowed endpoints: https://api.example.com/v1/.",)


def test_an_allowed_endpoint_does_not_make_a_private_name_public() -> None:
    policy = EndpointPolicy(allowed_endpoints=["*.nip.io"])
    assert rule(policy, "http://10.0.0.1.nip.io/") == "private_address"
    assert rule(policy, "http://8.8.8.8.nip.io/") == ""


@pytest.mark.parametrize(
    "entry",
    [
        *("*", "*.*.com", "api.*.com", "api.example.com:*/x?y", "https://api.example.com/#x", "user@example.com"),
        *("ftp://example.com", "://example.com", "https://", "/v1/", "example.com:0", "example.com:http", "a b.com"),
        *("example.com/../x", "0x7f.1", "127.1", "*.1.2.3.4", "*.[::1]", "faß.de", "a..b", "http:example.com"),
        "https://https://example.com",
    ],
)
def test_an_entry_that_cannot_be_read_is_refused_where_it_is_written(entry: str) -> None:
    with pytest.raises(ValueError, match=r"EndpointPolicy\.allowed_endpoints must be"):
        EndpointPolicy(allowed_endpoints=[entry])


@pytest.mark.parametrize(
    ("entry", "setting"),
    [
        ("localhost:8000", "allow_private_ips"),
        ("10.0.0.5", "allow_private_ips"),
        ("*.internal", "allow_private_ips"),
        ("host:8443", "allow_private_ips"),
        ("169.254.169.254", "allow_metadata_urls"),
        ("metadata.google.internal", "allow_metadata_urls"),
    ],
)
def test_an_entry_that_another_setting_blocks_is_refused_where_it_is_written(entry: str, setting: str) -> None:
    with pytest.raises(ValueError, match=f"needs {setting}=True"):
        EndpointPolicy(allowed_endpoints=[entry])
    policy = EndpointPolicy(allowed_endpoints=[entry], **{setting: True})
    assert rule(policy, f"http://{entry.replace('*', 'x')}/") == ""


@pytest.mark.parametrize("entry", ["[::ffff:8.8.8.8]", "app.nip.io", "01010101.08080808.rbndr.us"])
def test_an_entry_that_is_blocked_whatever_is_allowed_is_refused_where_it_is_written(entry: str) -> None:
    with pytest.raises(ValueError, match="is blocked whatever is allowed"):
        EndpointPolicy([entry], allow_private_ips=True, allow_metadata_urls=True)


# --- blocked patterns ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "blocked", "passes"),
    [
        (
            "evil.com",
            ["https://evil.com/", "http://EVIL.com:81/x"],
            ["https://www.evil.com/", "https://example.com/evil.com"],
        ),
        ("*.evil.com", ["https://a.evil.com/", "https://a.b.evil.com/x"], ["https://evil.com/"]),
        (
            "example.com/admin*",
            ["https://example.com/admin", "https://example.com/Admin/x?y"],
            ["https://example.com/x/admin"],
        ),
        (
            "*/admin*",
            ["https://a.com/%61dmin", "https://a.com/x/%2561dmin", "https://a.com/x%2Fadmin"],
            ["https://a.com/adm"],
        ),
        ("http://*", ["http://example.com/"], ["https://example.com/"]),
        ("https://example.com", ["https://example.com/", "https://example.com:81/x"], ["http://example.com/"]),
        ("*:8080*", ["http://example.com:8080/"], ["http://example.com/"]),
        ("*token=*", ["https://example.com/?token=1", "https://example.com/?tok%65n=1"], ["https://example.com/?t=1"]),
        ("xn--mnchen-3ya.de", ["https://münchen.de/"], ["https://example.com/"]),
        ("93.184.216.3?", ["http://93.184.216.34/"], ["http://93.184.216.4/"]),
    ],
)
def test_a_pattern_blocks_host_path_and_whole_url(pattern: str, blocked: list[str], passes: list[str]) -> None:
    policy = EndpointPolicy(blocked_patterns=[pattern])
    assert {url: rule(policy, url) for url in blocked} == dict.fromkeys(blocked, "blocked_pattern")
    assert {url: rule(policy, url) for url in passes} == dict.fromkeys(passes, "")


def test_a_pattern_beats_what_is_allowed() -> None:
    policy = EndpointPolicy(allowed_endpoints=["example.com"], blocked_patterns=["*/admin*"])
    assert rule(policy, "https://example.com/") == ""
    assert rule(policy, "https://example.com/admin") == "blocked_pattern"


@pytest.mark.parametrize("pattern", ["münchen.de", "a b", "a\n*", "*\x00"])
def test_a_pattern_that_could_never_match_is_refused_where_it_is_written(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"EndpointPolicy\.blocked_patterns must be"):
        EndpointPolicy(blocked_patterns=[pattern])


# --- the policy itself ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["allowed_endpoints", "blocked_patterns"])
@pytest.mark.parametrize(
    "value", ["example.com", b"example.com", None, 5, {"example.com"}, [5], [None], [""]], ids=repr
)
def test_a_list_of_anything_but_texts_is_refused(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"EndpointPolicy.{name} must be a list of texts"):
        EndpointPolicy(**{name: value})


@pytest.mark.parametrize("name", ["allow_private_ips", "allow_metadata_urls"])
def test_a_switch_is_true_or_false(name: str) -> None:
    with pytest.raises(TypeError, match=f"EndpointPolicy.{name} must be True or False, not 1"):
        EndpointPolicy(**{name: 1})


def test_a_mode_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"EndpointPolicy\.mode must be 'enforce' or 'observe'"):
        EndpointPolicy(mode="log")  # type: ignore[arg-type]


def test_a_policy_is_frozen_and_does_not_see_later_changes_of_its_lists() -> None:
    allowed = ["example.com"]
    policy = EndpointPolicy(allowed_endpoints=allowed)
    allowed.append("evil.com")
    assert rule(policy, "https://evil.com/") == "not_allowed"
    assert policy.allowed_endpoints == ("example.com",)
    with pytest.raises(FrozenInstanceError):
        policy.allow_private_ips = True  # type: ignore[misc]


def test_a_policy_travels_between_processes() -> None:
    policy = EndpointPolicy(["example.com"], ["*/admin*"])
    again = pickle.loads(pickle.dumps(policy))
    assert again == policy
    assert hash(again) == hash(policy)
    assert rule(again, "https://example.com/admin") == "blocked_pattern"


def test_two_ways_to_write_a_policy_have_one_canonical_form() -> None:
    one = EndpointPolicy(
        ["API.Example.com.", "https://example.org:443", "http://münchen.de/", "*.example.net", "[2606:4700:0::1]"],
        ["*/Admin*", "evil.com"],
    )
    two = EndpointPolicy(
        (
            *("[2606:4700::1]", "*.EXAMPLE.net/", "HTTP://xn--mnchen-3ya.de", "HTTPS://example.org/"),
            *("api.example.com", "api.example.com"),
        ),
        ("evil.com", "*/admin*", "*/admin*"),
    )
    assert one.canonical() == two.canonical()
    assert json.loads(json.dumps(one.canonical())) == one.canonical()


@pytest.mark.parametrize(
    "other",
    [
        EndpointPolicy(["example.com:443"]),
        EndpointPolicy(["https://example.com"]),
        EndpointPolicy(["example.com:*"]),
        EndpointPolicy(["*.example.com"]),
        EndpointPolicy(["example.com/x"]),
        EndpointPolicy(["example.com"], ["x"]),
        EndpointPolicy(["example.com"], allow_private_ips=True),
        EndpointPolicy(["example.com"], allow_metadata_urls=True),
        EndpointPolicy(["example.com"], mode="observe"),
        EndpointPolicy(),
    ],
    ids=repr,
)
def test_policies_that_differ_have_different_canonical_forms(other: EndpointPolicy) -> None:
    assert EndpointPolicy(["example.com"]).canonical() != other.canonical()


def test_a_canonical_form_is_read_back_as_the_same_policy() -> None:
    policy = EndpointPolicy(
        ["https://*.example.com:*/v1/", "example.org:8443", "[2606:4700::1]/x", "wss://münchen.de/ü/"], ["*/A*"]
    )
    assert EndpointPolicy(**policy.canonical()).canonical() == policy.canonical()


def test_a_policy_is_made_without_loading_what_only_a_rare_url_needs() -> None:
    """In a process of its own: an import of the package stays cheap."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "from agent_airlock.checks.endpoints import EndpointPolicy, check_url\n"
        "check_url(EndpointPolicy(), 'fetch', 'url', 'https://example.com/x?y')\n"
        "heavy = {'ipaddress', 'unicodedata', 'urllib.parse', 'pydantic', 'encodings.idna', 'asyncio', 'socket'}\n"
        "left = heavy & (set(sys.modules) - before)\n"
        "sys.exit(str(left) if left else None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
