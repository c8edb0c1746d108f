"""``airlock.toml``: it says what the policy is; what is wrong is named; what is written reads back equal."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agent_airlock
from agent_airlock import (
    AirlockConfig,
    Budget,
    Capability,
    CapabilityPolicy,
    EndpointPolicy,
    FilesystemPolicy,
    MemoryLedger,
    ModelCapabilityTier,
    ModelTierBudget,
    PolicyFileError,
    RateLimit,
    SecurityPolicy,
    TierBudget,
    TimeWindow,
    UnknownArgsMode,
    load_policy,
)
from agent_airlock.policy_file import parse_policy
from agent_airlock.policy_tables import PolicyFile
from agent_airlock.policy_writer import policy_text

WHOLE = """
[policy]
allowed_tools = ["search_*", "ask"]
denied_tools = ["search_secret"]
allowed_roles = ["ops"]
require_agent_id = true
default_deny = true
time_restrictions = { "deploy_*" = "09:00-17:00 Europe/Berlin" }
rate_limits = { "*" = "100/hour", "ask" = { limit = "5/second", mode = "observe" } }
lease = "2 min"
tags = "context"
on_unknown_usage = "release"
explain = "all"
access_mode = "observe"
unknown_args = "strip_and_log"
arguments_mode = "observe"
path_arguments = ["source"]

[tiers]
strict = "small"
small = { max_cost_cents = 2, max_output_tokens = 1000 }
frontier = { max_cost_cents = 50, max_output_tokens = 4000 }

[[budgets]]
scope = "agent:*"
limit = "5 USD"
window = "day"
warn_at = 0.8

[[budgets]]
scope = "global"
limit = "200_000 tokens"
mode = "observe"

[prices]
"my-finetune" = { input = 3, output = 12.5, context_window = 128_000, max_output = 16_000 }

[model_aliases]
"gateway/fast" = "claude-haiku-5-5"

[filesystem]
allowed_roots = ["data", "/srv/shared"]
deny_patterns = ["*.key"]

[endpoints."fetch_*"]
allowed_endpoints = ["api.example.com"]

[capabilities]
granted = ["filesystem_read", "network"]
denied = ["network_arbitrary"]

[[capabilities.models]]
models = ["claude-opus-*"]
granted = ["network_http"]

[ledger]
url = "memory:"
"""


def test_a_file_says_what_the_policy_and_the_configuration_are(tmp_path: Path) -> None:
    path = tmp_path / "airlock.toml"
    path.write_text(WHOLE)
    loaded = load_policy(path)
    assert loaded.policy == SecurityPolicy(
        allowed_tools=["search_*", "ask"],
        denied_tools=["search_secret"],
        allowed_roles=["ops"],
        require_agent_id=True,
        default_deny=True,
        time_restrictions={"deploy_*": TimeWindow(540, 1020, "Europe/Berlin")},
        rate_limits={"*": "100/hour", "ask": RateLimit(5, "second", "observe")},
        lease=120,
        tags="context",
        on_unknown_usage="release",
        explain="all",
        access_mode="observe",
        model_tier_budget=ModelTierBudget({"small": TierBudget(2, 1000), "frontier": TierBudget(50, 4000)}, "small"),
        budgets=[
            Budget("agent:*", "5 USD", window="day", warn_at=Decimal("0.8")),
            Budget("global", "200_000 tokens", mode="observe"),
        ],
        prices={
            "my-finetune": {"input": 3, "output": Decimal("12.5"), "context_window": 128_000, "max_output": 16_000}
        },
        model_aliases={"gateway/fast": "claude-haiku-5-5"},
        capability_policy=CapabilityPolicy(
            Capability.FILESYSTEM_READ | Capability.NETWORK,
            Capability.NETWORK_ARBITRARY,
            ModelCapabilityTier(("claude-opus-*",), Capability.NETWORK_HTTP),
        ),
    )
    assert loaded.config == AirlockConfig(
        unknown_args=UnknownArgsMode.STRIP_AND_LOG,
        arguments_mode="observe",
        path_arguments=["source"],
        filesystem_policy=FilesystemPolicy([tmp_path / "data", "/srv/shared"], deny_patterns=["*.key"]),
        endpoint_policies={"fetch_*": EndpointPolicy(("api.example.com",))},
    )
    assert loaded.ledger_url == "memory:"
    assert isinstance(loaded.ledger, MemoryLedger)
    assert loaded.ledger is loaded.ledger
    assert SecurityPolicy.from_toml(path) == loaded.policy
    assert AirlockConfig.from_toml(path) == loaded.config


def test_an_empty_file_is_the_policy_that_says_nothing() -> None:
    loaded = parse_policy("")
    assert (loaded.policy, loaded.config, loaded.ledger) == (SecurityPolicy(), AirlockConfig(), None)


def test_the_digest_is_over_the_policy_and_the_configuration() -> None:
    digests = {
        parse_policy(text).digest
        for text in ("", "[policy]\nexplain = 'all'", "[policy]\nunknown_args = 'strip_silent'", "[policy]")
    }
    assert len(digests) == 3


# --- what is wrong ---------------------------------------------------------------------------------------

WRONG: list[tuple[str, str]] = [
    ("[policy]\nallowed_tool = ['a']", "policy.allowed_tool: unknown key; did you mean 'allowed_tools'?"),
    ("[polcy]", "polcy: unknown key; did you mean 'policy'?"),
    ("[zzz]", "zzz: unknown key; known are budgets, capabilities, "),
    (
        "[[budgets]]\nscope = 'global'\nlimit = '1 USD'\nwindw = 'day'",
        "budgets[0].windw: unknown key; did you mean 'wi",
    ),
    (
        "[tiers]\nstrict = 'a'\na = { max_cost_cent = 2 }",
        "tiers.a.max_cost_cent: unknown key; did you mean 'max_cost_c",
    ),
    (
        "[prices]\n'my model' = { input = 1, outptu = 2 }",
        "prices.\"my model\".outptu: unknown key; did you mean 'output'",
    ),
    ("[prices]\nm = { input = 1 }", "prices.m.output: field required"),
    ("[prices]\nm = { input = '1', output = 2 }", "prices.m.input"),
    ("[prices]\nm = { input = -1, output = 2 }", "prices"),
    ("[prices]\nm = { input = nan, output = 2 }", "prices"),
    ("[prices]\nm = { input = true, output = 2 }", "prices.m.input"),
    ("[policy]\nmode = 'off'", "policy.mode: input should be 'enforce' or 'observe'"),
    ("[policy]\nrequire_agent_id = 1", "policy.require_agent_id: input should be a valid boolean"),
    ("[policy]\nlease = '8 d'", "policy.lease: SecurityPolicy.lease must be like '10 min'"),
    ("[policy]\nrate_limits = { '*' = '5' }", 'policy.rate_limits."*": a rate limit must be like'),
    ("[policy]\nrate_limits = { a = { limt = '5/hour' } }", "limt: unknown key; did you mean 'limit'?"),
    ("[policy]\ntime_restrictions = { a = '9' }", "policy.time_restrictions: SecurityPolicy.time_restrictions['a']"),
    ("[[budgets]]\nscope = 'agents:*'\nlimit = '1 USD'", "budgets[0]: Budget.scope must be"),
    ("[[budgets]]\nscope = 'global'\nlimit = '1 EUR'", "budgets[0]: Budget.limit must be"),
    ("[[budgets]]\nlimit = '1 USD'", "budgets[0].scope: field required"),
    ("[budgets]\nscope = 'global'", "budgets: input should be a valid list"),
    ("[tiers]\nsmall = { max_cost_cents = 2 }", "tiers.strict: field required"),
    ("[tiers]\nstrict = 'gold'\nsmall = { max_cost_cents = 2 }", "tiers: ModelTierBudget.strict_tier must be one of"),
    ("[tiers]\nstrict = 'small'\nsmall = { max_cost_cents = -2 }", "tiers.small.max_cost_cents: input should be great"),
    ("[tiers]\nstrict = 'small'\nsmall = 5", "tiers.small: input should be a valid"),
    ("[filesystem]", "filesystem.allowed_roots: field required"),
    (
        "[endpoints.x]\nallow_private_ip = true",
        "endpoints.x.allow_private_ip: unknown key; did you mean 'allow_private",
    ),
    ("[endpoints.'a b']\nallowed_endpoints = ['ht tp://']", 'endpoints."a b": EndpointPolicy.allowed_endpoints'),
    (
        "[capabilities]\ngranted = ['filesystem_raed']",
        "capabilities: no capability is called 'filesystem_raed'; did you",
    ),
    ("[[capabilities.models]]\nmodels = []\ngranted = []", "capabilities.granted: field required"),
    ("[ledger]\nurl = 5", "ledger.url: input should be a valid string"),
    ("[ledger]\nurll = 'x'", "ledger.urll: unknown key; did you mean 'url'?"),
    ("[policy]\na = ", "(at line 2, column 5)"),
    ("policy]", "(at line 1, column"),
    ("a = " + "[" * 5000, "nested"),
    ("a = " + "9" * 5000, "a number that is too long"),
    ("a = 1e99999999999999999999", "a number that is too long"),
    ("[policy]\nlease = 1e999999", "policy.lease: SecurityPolicy.lease must be like"),
    ("[" + "a." * 50_000 + "a]", "more than 1,000 dots"),
]


@pytest.mark.parametrize(("text", "said"), WRONG, ids=[said[:40] for _, said in WRONG])
def test_what_is_wrong_is_named_with_its_key(text: str, said: str) -> None:
    with pytest.raises(PolicyFileError) as caught:
        parse_policy(text, name="here.toml")
    assert said in str(caught.value)
    assert all(line.startswith("here.toml: ") for line in str(caught.value).splitlines())


def test_every_problem_is_told_at_once() -> None:
    text = "[policy]\nmode = 'x'\nallowed_tool = []\n[[budgets]]\nscope = 'global'\n[ledger]\n"
    with pytest.raises(PolicyFileError) as caught:
        parse_policy(text)
    assert len(caught.value.problems) == 4


def test_a_file_that_is_too_large_or_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "airlock.toml"
    path.write_bytes(b"#" * (1 << 20) + b"#")
    with pytest.raises(PolicyFileError, match="larger than 1048576 bytes"):
        load_policy(path)
    path.write_bytes(b"[policy]\n\xff")
    with pytest.raises(PolicyFileError, match="byte 9 is not UTF-8"):
        load_policy(path)
    with pytest.raises(FileNotFoundError):
        load_policy(tmp_path / "other.toml")


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode("latin-1")))
def test_no_text_does_anything_but_load_or_be_refused(text: str) -> None:
    with contextlib.suppress(PolicyFileError):
        parse_policy(text)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.decimals(allow_nan=True),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from([*PolicyFile.model_fields, "policy.mode"])


@given(st.dictionaries(KEYS, JUNK, max_size=4))
def test_no_tables_do_anything_but_load_or_be_refused(tables: dict[str, Any]) -> None:
    from agent_airlock.policy_reader import read_tables

    with contextlib.suppress(PolicyFileError):
        read_tables(tables, "x", Path("/"))


# --- what is written -------------------------------------------------------------------------------------


def test_a_policy_writes_itself_and_reads_back_equal() -> None:
    loaded = parse_policy(WHOLE, folder=Path("/work"))
    text = policy_text(loaded.policy, loaded.config, loaded.ledger_url)
    again = parse_policy(text)
    assert (again.policy, again.config, again.ledger_url) == (loaded.policy, loaded.config, "memory:")
    assert (again.digest, again.policy.digest) == (loaded.digest, loaded.policy.digest)
    assert parse_policy(loaded.policy.freeze().to_toml()).policy == loaded.policy


NAMES = st.text("ab*-_ é+\"'\n.", min_size=1, max_size=6)
MODES = st.sampled_from(["enforce", "observe"])
BUDGETS = st.builds(
    Budget,
    st.sampled_from(["global", "agent:*", "agent:%2B+tool:x", "session:-"]),
    st.sampled_from(["5 USD", "0.000000001 USD", "200_000 tokens", "0 calls", Decimal("1.50")]),
    window=st.sampled_from(["day", "total", "second"]),
    warn_at=st.sampled_from([None, 0.5, Decimal("0.85"), 1]),
    mode=MODES,
)
CAPABILITIES = st.sampled_from([Capability.NONE, Capability.NETWORK, Capability.ALL, Capability.DATA_PII])
POLICIES = st.builds(
    SecurityPolicy,
    allowed_tools=st.lists(NAMES, max_size=3),
    denied_tools=st.lists(NAMES, max_size=3),
    allowed_roles=st.lists(NAMES, max_size=2),
    require_agent_id=st.booleans(),
    default_deny=st.booleans(),
    time_restrictions=st.dictionaries(NAMES, st.sampled_from(["09:00-17:00", "22:00-06:00 Europe/Berlin"]), max_size=2),
    rate_limits=st.dictionaries(
        NAMES, st.builds(RateLimit, st.integers(0, 9), st.sampled_from(["hour", "day"]), MODES), max_size=2
    ),
    capability_policy=st.none()
    | st.builds(
        CapabilityPolicy,
        CAPABILITIES,
        CAPABILITIES,
        st.none() | st.lists(st.builds(ModelCapabilityTier, st.just(("m*",)), CAPABILITIES), min_size=1, max_size=2),
        MODES,
    ),
    model_tier_budget=st.none()
    | st.builds(
        lambda caps, mode: ModelTierBudget({"a b": TierBudget(5, 5), "t": caps}, "a b", mode=mode),
        st.builds(TierBudget, st.none() | st.integers(5, 9), st.none() | st.integers(0, 9)),
        MODES,
    ),
    budgets=st.lists(BUDGETS, max_size=3),
    prices=st.dictionaries(
        st.sampled_from(["m", "x/y", "z.1"]),
        st.fixed_dictionaries(
            {"input": st.sampled_from([3, "0.1", 2.5, Decimal("1e-3")]), "output": st.just(4)},
            optional={"max_output": st.integers(1, 9), "cache_read": st.just(Decimal("0.5"))},
        ),
        max_size=2,
    ),
    model_aliases=st.dictionaries(st.sampled_from(["fast", "a/b"]), st.just("m1"), max_size=2),
    lease=st.sampled_from(["10 min", 1.5, 600, "250 ms"]),
    tags=st.sampled_from(["caller", "context"]),
    on_unknown_usage=st.sampled_from(["estimate", "release"]),
    explain=st.sampled_from(["scoped", "all"]),
    mode=MODES,
    access_mode=MODES,
)


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(POLICIES)
def test_every_policy_without_callables_reads_back_equal(policy: SecurityPolicy) -> None:
    again = parse_policy(policy.to_toml()).policy
    assert again == policy
    assert again.digest == policy.digest


CONFIGS = st.builds(
    AirlockConfig,
    unknown_args=st.sampled_from(list(UnknownArgsMode)),
    arguments_mode=MODES,
    filesystem_policy=st.none()
    | st.builds(
        FilesystemPolicy,
        st.just(["/a", "/b c"]),
        st.booleans(),
        st.sampled_from([[], ["*.key"]]),
        st.none() | st.integers(1, 9),
        MODES,
    ),
    endpoint_policies=st.dictionaries(
        NAMES,
        st.builds(
            EndpointPolicy,
            st.sampled_from([(), ("example.com",)]),
            st.sampled_from([(), ("*bad*",)]),
            st.booleans(),
            st.booleans(),
            MODES,
        ),
        max_size=2,
    ),
    path_arguments=st.none() | st.lists(st.just("source"), max_size=1),
)


@given(CONFIGS)
def test_every_configuration_reads_back_equal(config: AirlockConfig) -> None:
    again = parse_policy(policy_text(SecurityPolicy(), config)).config
    assert again == config
    assert again.canonical() == config.canonical()


def test_a_policy_with_a_function_in_it_is_not_written() -> None:
    tiers = ModelTierBudget({"small": TierBudget()}, "small", lambda _: "small")
    with pytest.raises(ValueError, match="tier_resolver"):
        SecurityPolicy(model_tier_budget=tiers).to_toml()


@pytest.mark.parametrize("label", ["strict", "mode"])
def test_a_tier_whose_name_is_a_key_is_not_written(label: str) -> None:
    with pytest.raises(ValueError, match=f"a tier named '{label}'"):
        SecurityPolicy(model_tier_budget=ModelTierBudget({label: TierBudget()}, label)).to_toml()


# --- the schema ------------------------------------------------------------------------------------------


def test_the_schema_for_editors_is_that_of_the_tables() -> None:
    from agent_airlock.policy_tables import schema

    committed = Path(agent_airlock.__file__).parent / "airlock.schema.json"
    assert json.loads(committed.read_text()) == schema(), "run scripts/make_schema.py"
    assert set(schema()["properties"]) == set(PolicyFile.model_fields)


# --- the environment -------------------------------------------------------------------------------------


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={"PYTHONPATH": ":".join(sys.path), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


GATED = """
from agent_airlock import Airlock, AirlockConfig, SecurityPolicy
@Airlock
def search(query: str) -> str: return query
@Airlock(config=AirlockConfig(on_blocked=print))
def read(path: str) -> str: return path
@Airlock(policy=SecurityPolicy())
def own(query: str) -> str: return query
for answer in (search("a"), read("/etc/passwd"), own("a")):
    print(answer if isinstance(answer, str) else answer["block_reason"])
"""


def test_gates_without_a_policy_of_their_own_use_the_file_that_the_environment_names(tmp_path: Path) -> None:
    path = tmp_path / "airlock.toml"
    path.write_text(f"[policy]\ndenied_tools = ['search', 'own']\n[filesystem]\nallowed_roots = ['{tmp_path}']\n")
    done = run(GATED, AIRLOCK_POLICY=str(path))
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].startswith("AirlockResponse"), "the code's callback, beside the file's checks"
    assert lines[1:] == ["policy_violation", "path_violation", "a"]
    assert run(GATED).stdout.splitlines() == ["a", "/etc/passwd", "a"]


@pytest.mark.parametrize("content", ["[polcy]", None])
def test_a_process_whose_policy_cannot_be_read_makes_no_gate(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "airlock.toml"
    if content is not None:
        path.write_text(content)
    done = run(GATED, AIRLOCK_POLICY=str(path))
    assert done.returncode != 0
    assert done.stdout == ""
    assert re.search("did you mean 'policy'|No such file", done.stderr)


def test_the_policy_of_the_environment_is_frozen_and_read_once(tmp_path: Path) -> None:
    path = tmp_path / "airlock.toml"
    path.write_text("[policy]\ndenied_tools = ['a']\n")
    code = """
from agent_airlock.policy_file import policy_of_environment as read
first = read()
import os; os.unlink(os.environ["AIRLOCK_POLICY"])
print(first is read(), first.policy.is_frozen())
"""
    assert run(code, AIRLOCK_POLICY=str(path)).stdout.split() == ["True", "True"]


COUNTED = """
from agent_airlock import Airlock
@Airlock
def search() -> str: return "ran"
print(*[answer if isinstance(answer, str) else answer["block_reason"] for answer in (search() for _ in range(3))])
"""


@pytest.mark.parametrize("named", ["by the variable", "in the file", "by the variable, which goes before the file"])
def test_the_ledger_that_is_named_counts_over_processes(tmp_path: Path, named: str) -> None:
    path, ledger = tmp_path / "airlock.toml", tmp_path / "budgets.db"
    url = f"sqlite:///{ledger}"
    table = {"by the variable": "", "in the file": f"[ledger]\nurl = '{url}'\n"}.get(
        named, "[ledger]\nurl = 'memory:'\n"
    )
    path.write_text(f"[[budgets]]\nscope = 'global'\nlimit = '4 calls'\n{table}")
    environment = {"AIRLOCK_POLICY": str(path)} | ({} if named == "in the file" else {"AIRLOCK_LEDGER": url})
    assert run(COUNTED, **environment).stdout.split() == ["ran", "ran", "ran"]
    assert run(COUNTED, **environment).stdout.split() == ["ran", "budget_exceeded", "budget_exceeded"]


def test_a_ledger_that_is_named_and_cannot_be_opened_makes_no_gate(tmp_path: Path) -> None:
    done = run(COUNTED, AIRLOCK_LEDGER=f"sqlite:///{tmp_path}/none/budgets.db")
    assert done.returncode != 0
    assert done.stdout == ""
