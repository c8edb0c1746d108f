"""A policy: wrong ones are refused, frozen ones cannot change, and a digest says which it is."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest

from agent_airlock import (
    Budget,
    Capability,
    CapabilityPolicy,
    ModelTierBudget,
    PolicyMutationError,
    RateLimit,
    SecurityPolicy,
    TierBudget,
    TimeWindow,
    policy,
)

TIERS = ModelTierBudget({"small": TierBudget(2, 1000)}, "small")
PLAIN_DIGEST = "fed8f6c503f9de9be818337bd2f079ada97392d5d754c9cd00fa6d5118ac5119"


def full() -> SecurityPolicy:
    return SecurityPolicy(
        allowed_tools=["search_*", "ask"],
        denied_tools=["delete_*"],
        allowed_roles=["admin"],
        require_agent_id=True,
        model_tier_budget=TIERS,
        budgets=[Budget("agent:*", "5 USD", window="day", warn_at=0.8)],
        time_restrictions={"search_*": "09:00-17:00 Europe/Berlin"},
        rate_limits={"*": "100/hour", "ask": RateLimit(5, "second", mode="observe")},
        capability_policy=CapabilityPolicy(Capability.NETWORK_HTTP, mode="observe"),
        prices={"mine": {"input": 3, "output": 12}},
        model_aliases={"fast": "mine"},
        lease="30 s",
        explain="all",
    )


# --- wrong ones ------------------------------------------------------------------------------------------

LISTS = ("allowed_tools", "denied_tools", "allowed_roles", "budgets")
MAPPINGS = ("time_restrictions", "rate_limits", "prices", "model_aliases")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        *((field, value, "must be a list") for field in LISTS for value in (5, None, "search", b"x", {"a": 1}, [5])),
        ("require_agent_id", 1, "must be True or False, not 1"),
        ("default_deny", "yes", "must be True or False, not 'yes'"),
        ("model_tier_budget", {"small": 2}, "must be a ModelTierBudget or None"),
        ("lease", "soon", "must be like '10 min'"),
        ("lease", 0, "from 1 ms to 7 days, not 0"),
        ("lease", True, "must be like"),
        ("lease", float("nan"), "must be like"),
        ("lease", "8 d", "must be like"),
        ("tags", "model", "must be one of caller, context, not 'model'"),
        ("on_unknown_usage", "zero", "must be one of estimate, release"),
        ("explain", True, "must be one of scoped, all"),
        ("mode", "off", "must be one of enforce, observe"),
        ("access_mode", None, "must be one of enforce, observe"),
        ("capability_policy", "network", "must be a CapabilityPolicy or None"),
        *((field, value, "must be a mapping") for field in MAPPINGS for value in (5, None, ["a"], "a")),
        *((field, {1: "a"}, "must have texts as keys, not 1") for field in MAPPINGS),
        *((field, {"": "a"}, "must have texts as keys, not ''") for field in MAPPINGS),
        ("time_restrictions", {"x": "9-17"}, r"\['x'\]: a time window must be like '09:00-17:00'"),
        ("time_restrictions", {"x": "09:00-17:00 Nowhere"}, "must be the IANA name of a time zone"),
        ("rate_limits", {"x": "100"}, r"\['x'\]: a rate limit must be like '100/hour'"),
        ("rate_limits", {"x": "1/month"}, "must be like '100/hour'"),
        ("prices", {"x": {"input": 1}}, "output"),
        ("prices", {"x": {"input": 1, "output": 1, "inptu": 1}}, "input"),
        ("model_aliases", {"x": 5}, "5"),
    ],
)
def test_a_wrong_value_is_refused_with_its_field_and_what_is_allowed(field: str, value: Any, said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=rf"SecurityPolicy\.{field} .*{said}|{said}"):
        SecurityPolicy(**{field: value})
    with pytest.raises((TypeError, ValueError), match=rf"SecurityPolicy\.{field}"):
        setattr(SecurityPolicy(), field, value)


def test_a_field_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="alowed_tools"):
        SecurityPolicy(alowed_tools=["search"])  # type: ignore[call-arg]
    with pytest.raises(AttributeError, match="no field 'alowed_tools'"):
        SecurityPolicy().alowed_tools = ["search"]  # type: ignore[attr-defined]


def test_an_iterator_is_read_once_and_does_not_become_a_policy_that_allows_all() -> None:
    made = SecurityPolicy(allowed_tools=(name for name in ("search", "ask")))  # type: ignore[arg-type]
    assert made.allowed_tools == ["search", "ask"]
    made.denied_tools = iter(["delete"])  # type: ignore[assignment]
    assert made.denied_tools == ["delete"]


def test_the_callers_own_list_can_change_without_changing_the_policy() -> None:
    mine = ["search"]
    made = SecurityPolicy(allowed_tools=mine)
    mine.append("delete")
    assert made.allowed_tools == ["search"]


@pytest.mark.parametrize(
    ("lease", "milliseconds"),
    [
        ("10 min", 600_000),
        ("30 s", 30_000),
        ("250ms", 250),
        ("2 h", 7_200_000),
        (1.5, 1500),
        (timedelta(1), 86_400_000),
    ],
)
def test_a_lease_is_a_duration(lease: Any, milliseconds: int) -> None:
    assert SecurityPolicy(lease=lease).lease_ms == milliseconds


# --- frozen ones -----------------------------------------------------------------------------------------


def test_freezing_makes_a_copy() -> None:
    original = full()
    frozen = original.freeze()
    assert (original.is_frozen(), frozen.is_frozen()) == (False, True)
    original.allowed_tools = ["*"]
    original.default_deny = True
    assert frozen.allowed_tools == ["search_*", "ask"]
    assert not frozen.default_deny
    assert frozen.model_tier_budget is TIERS
    frozen.verify_frozen()


def test_freezing_a_list_that_grew_takes_what_it_holds_now() -> None:
    original = full()
    original.allowed_tools.append("late")  # type: ignore[attr-defined]
    frozen = original.freeze()
    original.allowed_tools.append("later")  # type: ignore[attr-defined]
    assert frozen.allowed_tools == ["search_*", "ask", "late"]


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(SecurityPolicy)])
def test_no_field_of_a_frozen_policy_can_be_set_or_deleted(field: str) -> None:
    frozen = full().freeze()
    with pytest.raises(PolicyMutationError):
        setattr(frozen, field, getattr(frozen, field))
    with pytest.raises(PolicyMutationError):
        delattr(frozen, field)
    frozen.verify_frozen()


CHANGES: dict[str, Any] = {
    "append": lambda items: items.append("x"),
    "extend": lambda items: items.extend(["x"]),
    "insert": lambda items: items.insert(0, "x"),
    "remove": lambda items: items.remove(items[0]),
    "pop": lambda items: items.pop(),
    "clear": lambda items: items.clear(),
    "sort": lambda items: items.sort(),
    "reverse": lambda items: items.reverse(),
    "set": lambda items: items.__setitem__(0, "x"),
    "del": lambda items: items.__delitem__(0),
    "+=": lambda items: items.__iadd__(["x"]),
    "*=": lambda items: items.__imul__(2),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("field", LISTS)
def test_no_container_of_a_frozen_policy_can_change(field: str, change: Any) -> None:
    for frozen in (full().freeze(), pickle.loads(pickle.dumps(full().freeze())), copy.deepcopy(full().freeze())):
        before = list(getattr(frozen, field))
        with pytest.raises(PolicyMutationError):
            change(getattr(frozen, field))
        assert list(getattr(frozen, field)) == before


MOVES: dict[str, Any] = {
    "set": lambda items: items.__setitem__("x", "y"),
    "del": lambda items: items.__delitem__(next(iter(items))),
    "|=": lambda items: items.__ior__({"x": "y"}),
    "update": lambda items: items.update(x="y"),
    "setdefault": lambda items: items.setdefault("x", "y"),
    "pop": lambda items: items.pop(next(iter(items))),
    "popitem": lambda items: items.popitem(),
    "clear": lambda items: items.clear(),
}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
@pytest.mark.parametrize("field", MAPPINGS)
def test_no_mapping_of_a_frozen_policy_can_change(field: str, move: Any) -> None:
    for frozen in (full().freeze(), pickle.loads(pickle.dumps(full().freeze())), copy.deepcopy(full().freeze())):
        before = dict(getattr(frozen, field))
        with pytest.raises(PolicyMutationError):
            move(getattr(frozen, field))
        assert getattr(frozen, field) == before
    with pytest.raises(PolicyMutationError):
        move(full().freeze().prices["mine"])


def test_the_callers_own_mapping_can_change_without_changing_the_policy() -> None:
    mine = {"m": {"input": 1, "output": 2}}
    made = SecurityPolicy(prices=mine)
    mine["m"]["input"] = 0
    assert made.prices["m"]["input"] == 1


@pytest.mark.parametrize(
    "copier",
    [copy.copy, copy.deepcopy, lambda policy: pickle.loads(pickle.dumps(policy)), SecurityPolicy.freeze],
    ids=["copy", "deepcopy", "pickle", "freeze"],
)
def test_a_copy_of_a_frozen_policy_is_frozen_and_equal(copier: Any) -> None:
    frozen = full().freeze()
    other = copier(frozen)
    assert other.is_frozen()
    other.verify_frozen(frozen.digest)
    assert other == frozen == full()
    with pytest.raises(PolicyMutationError):
        other.default_deny = True


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy, lambda policy: pickle.loads(pickle.dumps(policy))])
def test_a_copy_of_an_unfrozen_policy_shares_nothing_that_can_change(copier: Any) -> None:
    original = full()
    other = copier(original)
    other.allowed_tools.append("late")
    other.rate_limits["late"] = "1/day"
    other.prices["mine"]["input"] = 0
    other.lease = "1 h"
    assert original == full()


def test_replacing_a_field_of_a_frozen_policy_makes_a_new_one() -> None:
    frozen = full().freeze()
    other = dataclasses.replace(frozen, default_deny=True)
    assert not other.is_frozen()
    assert other.default_deny
    assert not frozen.default_deny


def test_only_a_frozen_policy_verifies() -> None:
    with pytest.raises(PolicyMutationError, match="not frozen"):
        full().verify_frozen()
    with pytest.raises(PolicyMutationError, match="not the one"):
        full().freeze().verify_frozen(SecurityPolicy().digest)
    full().freeze().verify_frozen(full().digest)


def test_a_change_behind_its_back_is_found() -> None:
    frozen = full().freeze()
    frozen.__dict__["denied_tools"] = ()
    with pytest.raises(PolicyMutationError):
        frozen.verify_frozen()


# --- the digest ------------------------------------------------------------------------------------------

OTHERS: dict[str, Any] = {
    "allowed_tools": ["other"],
    "denied_tools": ["other"],
    "allowed_roles": ["other"],
    "require_agent_id": True,
    "default_deny": True,
    "time_restrictions": {"deploy_*": "09:00-17:00"},
    "rate_limits": {"*": "100/hour"},
    "capability_policy": CapabilityPolicy(Capability.NETWORK_HTTP),
    "model_tier_budget": TIERS,
    "budgets": [Budget("global", "1 USD")],
    "prices": {"mine": {"input": 3, "output": 12}},
    "model_aliases": {"fast": "claude-haiku-5-5"},
    "lease": "1 h",
    "tags": "context",
    "on_unknown_usage": "release",
    "explain": "all",
    "mode": "observe",
    "access_mode": "observe",
}


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(SecurityPolicy)])
def test_the_digest_holds_every_public_field(field: str) -> None:
    assert field in OTHERS, "a new field: give it another value here"
    assert SecurityPolicy(**{field: OTHERS[field]}).digest != SecurityPolicy().digest


def test_the_digest_holds_its_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    before = full().digest
    monkeypatch.setattr(policy, "DIGEST_SCHEMA", policy.DIGEST_SCHEMA + 1)
    assert full().digest != before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"lease": "10 min"}, {"lease": 600}),
        ({"allowed_tools": ["a", "b"]}, {"allowed_tools": ("b", "a", "a")}),
        ({"allowed_roles": ["a", "b"]}, {"allowed_roles": {"a", "b"}}),
        ({"rate_limits": {"a": "1_00/hour"}}, {"rate_limits": {"a": RateLimit(100, "hour")}}),
        ({"time_restrictions": {"a": "09:00-17:00 UTC"}}, {"time_restrictions": {"a": TimeWindow(540, 1020)}}),
        ({"prices": {"a": {"input": 1, "output": "2"}}}, {"prices": {"a": {"output": 2.0, "input": "1.00"}}}),
        ({"budgets": [Budget("global", "5 USD")]}, {"budgets": (Budget("global", "5.00 USD"),)}),
    ],
)
def test_the_same_policy_written_otherwise_has_the_same_digest(one: Any, other: Any) -> None:
    assert SecurityPolicy(**one).digest == SecurityPolicy(**other).digest
    assert SecurityPolicy(**one) == SecurityPolicy(**other)


def test_freezing_does_not_change_the_digest() -> None:
    assert full().freeze().digest == full().digest
    assert len(full().digest) == 64


def test_lone_surrogates_have_a_digest() -> None:
    assert SecurityPolicy(allowed_tools=["\ud800"]).digest != SecurityPolicy(allowed_tools=["\ud801"]).digest


def test_the_digest_of_the_empty_policy_is_this_one_in_every_process() -> None:
    code = "from agent_airlock import SecurityPolicy as P; print(P().digest, P(allowed_tools=set('abcdef')).digest)"
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert answers == {f"{PLAIN_DIGEST} {SecurityPolicy(allowed_tools=list('fedcba')).digest}\n"}


def test_policies_with_different_resolvers_are_not_equal() -> None:
    one, other = (
        SecurityPolicy(model_tier_budget=ModelTierBudget(TIERS.tiers, "small", resolver))
        for resolver in (lambda _: "small", lambda _: "small")
    )
    assert one != other
    assert one.digest == other.digest
