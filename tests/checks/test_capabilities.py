"""Which capabilities a function needs, and which of them a policy grants to whom."""

from __future__ import annotations

import functools
import os
import pickle
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_airlock import Airlock, CapabilityDenied
from agent_airlock.checks.capabilities import (
    Capability,
    CapabilityPolicy,
    ModelCapabilityTier,
    check_capabilities,
    required_by,
    requires,
)

READ: Final = Capability.FILESYSTEM_READ
WRITE: Final = Capability.FILESYSTEM_WRITE
HTTP: Final = Capability.NETWORK_HTTP
NONE: Final = Capability.NONE

SINGLE: Final = tuple(Capability)
ANY: Final = st.lists(st.sampled_from(SINGLE)).map(lambda some: functools.reduce(Capability.__or__, some, NONE))


def missing(policy: CapabilityPolicy, needed: Capability, model_id: str | None = None) -> tuple[str, ...]:
    try:
        check_capabilities(policy, "tool", needed, model_id)
    except CapabilityDenied as block:
        return block.missing
    return ()


# --- names ---------------------------------------------------------------------------------------------------


def test_all_is_every_single_capability() -> None:
    assert set(Capability.ALL) == set(SINGLE)
    assert len(SINGLE) == 11


@pytest.mark.parametrize(
    ("union", "parts"),
    [
        (Capability.FILESYSTEM, ("FILESYSTEM_DELETE", "FILESYSTEM_READ", "FILESYSTEM_WRITE")),
        (Capability.NETWORK, ("NETWORK_ARBITRARY", "NETWORK_HTTP")),
        (Capability.PROCESS, ("PROCESS_EXEC", "PROCESS_SHELL")),
        (Capability.DATA, ("DATA_PII", "DATA_SECRETS")),
        (Capability.DATABASE, ("DATABASE_READ", "DATABASE_WRITE")),
        (Capability.READ_ONLY, ("DATABASE_READ", "FILESYSTEM_READ")),
        (Capability.NONE, ()),
    ],
)
def test_a_union_names_its_parts(union: Capability, parts: tuple[str, ...]) -> None:
    assert union.names == parts


@pytest.mark.parametrize("name", list(Capability.__members__))
def test_each_name_is_read_in_lower_and_in_upper_case(name: str) -> None:
    assert Capability.parse(name) is Capability.parse(name.lower()) is Capability[name]


def test_a_list_of_names_is_their_union() -> None:
    assert Capability.parse(["filesystem_read", "NETWORK"]) == READ | Capability.NETWORK
    assert Capability.parse([]) is NONE
    assert Capability.parse(READ) is READ


@given(ANY)
def test_what_is_named_is_read_back(some: Capability) -> None:
    assert Capability.parse(some.names) == some


def test_an_unknown_name_is_refused_with_the_nearest_that_is_known() -> None:
    with pytest.raises(ValueError, match="'filesystem_raed'; did you mean 'filesystem_read'"):
        Capability.parse(["network", "filesystem_raed"])


@pytest.mark.parametrize("name", ["", "Filesystem_Read", "file\u017fystem_read", "filesystem_read ", 3, None, ["data"]])
def test_nothing_but_a_name_is_read(name: Any) -> None:
    with pytest.raises(ValueError, match="no capability is called"):
        Capability.parse([name])


# --- what a function needs -----------------------------------------------------------------------------------


def passed_on(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator of somebody else's."""

    @functools.wraps(function)
    def outer(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return outer


def plain() -> str:
    return "ran"


def test_a_function_without_a_mark_needs_nothing() -> None:
    assert required_by(plain) is NONE
    assert required_by(os.remove) is NONE


def test_marks_unite_and_leave_the_function_as_it_was() -> None:
    def tool() -> str:
        return "ran"

    assert requires(READ, HTTP)(tool) is tool
    assert requires(WRITE)(tool)() == "ran"
    assert required_by(tool) == READ | HTTP | WRITE


def test_a_mark_survives_the_wrappers_above_it() -> None:
    @passed_on
    @requires(READ)
    def tool() -> None: ...

    assert required_by(tool) == READ


def test_a_mark_above_wrappers_reaches_the_gate_below_them() -> None:
    def tool() -> None: ...

    gated = Airlock()(tool)
    requires(READ)(passed_on(gated))
    assert required_by(gated) == required_by(tool) == READ


@pytest.mark.parametrize("marks", [1, 2, 3])
def test_it_may_stand_above_and_below_the_gate(marks: int) -> None:
    def tool() -> None: ...

    if marks & 1:
        tool = requires(READ)(tool)
    gated = Airlock()(tool)
    if marks & 2:
        gated = requires(WRITE)(gated)
    assert required_by(gated) == Capability(marks)


async def test_a_coroutine_function_is_marked() -> None:
    @requires(HTTP)
    async def tool() -> str:
        return "ran"

    assert required_by(tool) == HTTP
    assert await tool() == "ran"


class Tools:
    @requires(READ)
    def method(self) -> None: ...

    @requires(WRITE)
    @classmethod
    def above(cls) -> str:
        return cls.__name__

    @classmethod
    @requires(WRITE)
    def below(cls) -> str:
        return cls.__name__

    @requires(HTTP)
    @staticmethod
    def static() -> str:
        return "ran"

    @requires(HTTP)
    def __call__(self) -> None: ...


@pytest.mark.parametrize(
    ("function", "needed"),
    [
        (Tools.method, READ),
        (Tools().method, READ),
        (Tools.above, WRITE),
        (Tools().below, WRITE),
        (Tools.static, HTTP),
        (Tools(), HTTP),
        (functools.partial(Tools().method), READ),
        (functools.partial(functools.partial(Tools())), HTTP),
        (functools.lru_cache(Tools.static), HTTP),
    ],
)
def test_methods_objects_and_partials_need_what_they_call_needs(
    function: Callable[..., Any], needed: Capability
) -> None:
    assert required_by(function) == needed


def test_marked_methods_still_run() -> None:
    assert (Tools.above(), Tools.below(), Tools.static()) == ("Tools", "Tools", "ran")


def test_two_partials_of_one_function_may_need_different_things() -> None:
    def touch(mode: str) -> None: ...

    read, write = functools.partial(touch, "r"), functools.partial(touch, "w")
    requires(READ)(read)
    requires(WRITE)(write)
    assert (required_by(read), required_by(write), required_by(touch)) == (READ, WRITE, NONE)


def test_a_function_that_wraps_itself_ends() -> None:
    def tool() -> None: ...

    tool.__wrapped__ = tool  # type: ignore[attr-defined]
    assert required_by(requires(READ)(tool)) == READ


def test_endless_wrappers_are_refused() -> None:
    class Endless:
        def __call__(self) -> None: ...

        @property
        def __wrapped__(self) -> Endless:
            return Endless()

    with pytest.raises(TypeError, match="wrapped more than 100 times"):
        requires(READ)(Endless())


@pytest.mark.parametrize("needed", [(), ("filesystem_read",), (1,), (plain,), (READ, None)])
def test_requires_takes_capabilities_alone(needed: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError, match=r"requires takes at least one Capability"):
        requires(*needed)


@pytest.mark.parametrize("function", [3, "tool", None])
def test_requires_marks_functions_alone(function: Any) -> None:
    with pytest.raises(TypeError, match="requires marks a function, not"):
        requires(READ)(function)


def test_what_can_hold_no_mark_is_refused_rather_than_left_unmarked() -> None:
    with pytest.raises(TypeError, match="wrap it in a function"):
        requires(Capability.FILESYSTEM_DELETE)(os.remove)


# --- what a policy grants ------------------------------------------------------------------------------------


def test_what_is_granted_passes_and_what_is_not_is_named() -> None:
    policy = CapabilityPolicy(READ | HTTP)
    assert missing(policy, READ | HTTP) == ()
    assert missing(policy, READ | WRITE | Capability.DATA_PII) == ("DATA_PII", "FILESYSTEM_WRITE")


def test_denied_beats_granted_part_by_part() -> None:
    policy = CapabilityPolicy(Capability.ALL, denied=Capability.PROCESS | WRITE)
    assert missing(policy, Capability.PROCESS_SHELL) == ("PROCESS_SHELL",)
    assert missing(policy, Capability.PROCESS_EXEC | WRITE | READ) == ("FILESYSTEM_WRITE", "PROCESS_EXEC")
    assert missing(policy, Capability.ALL & ~(Capability.PROCESS | WRITE)) == ()


def test_what_needs_nothing_passes_every_policy() -> None:
    nothing = CapabilityPolicy(NONE, denied=Capability.ALL, model_tier=ModelCapabilityTier(["x"], NONE))
    assert missing(nothing, NONE) == ()
    assert missing(nothing, READ & WRITE) == ()


def test_a_tier_takes_away_and_gives_nothing() -> None:
    policy = CapabilityPolicy(READ | WRITE, model_tier=ModelCapabilityTier(["small-*"], READ | HTTP))
    assert missing(policy, READ, "small-1") == ()
    assert missing(policy, READ | WRITE | HTTP, "small-1") == ("FILESYSTEM_WRITE", "NETWORK_HTTP")


def test_the_first_tier_that_matches_decides() -> None:
    policy = CapabilityPolicy(
        Capability.ALL,
        model_tier=[
            ModelCapabilityTier(["claude-haiku-*", "gpt-*-mini"], READ),
            ModelCapabilityTier(["claude-*"], Capability.FILESYSTEM, denied=Capability.FILESYSTEM_DELETE),
        ],
    )
    assert missing(policy, WRITE, "claude-haiku-5") == ("FILESYSTEM_WRITE",)
    assert missing(policy, WRITE, "gpt-6-mini") == ("FILESYSTEM_WRITE",)
    assert missing(policy, WRITE | READ, "claude-opus-5") == ()
    assert missing(policy, Capability.FILESYSTEM, "claude-opus-5") == ("FILESYSTEM_DELETE",)


@pytest.mark.parametrize("model_id", [None, "", "other", "Claude-x", "my-claude-x"])
def test_a_model_of_no_tier_has_no_capability(model_id: str | None) -> None:
    policy = CapabilityPolicy(Capability.ALL, model_tier=ModelCapabilityTier(["claude-*"], Capability.ALL))
    assert missing(policy, READ, model_id) == ("FILESYSTEM_READ",)


def test_the_glob_of_all_models_does_not_mean_calls_that_name_none() -> None:
    policy = CapabilityPolicy(READ, model_tier=ModelCapabilityTier(["*"], READ))
    assert missing(policy, READ, "anything") == ()
    assert missing(policy, READ, None) == ("FILESYSTEM_READ",)


@given(granted=ANY, denied=ANY, needed=ANY, tier=st.none() | st.tuples(ANY, ANY))
def test_a_call_lacks_exactly_what_is_not_granted_or_is_denied(
    granted: Capability, denied: Capability, needed: Capability, tier: tuple[Capability, Capability] | None
) -> None:
    tiers = None if tier is None else ModelCapabilityTier(["m"], *tier)
    policy = CapabilityPolicy(granted, denied, tiers)
    lacking = {
        one.name
        for one in needed
        if one not in granted or one in denied or (tier is not None and (one not in tier[0] or one in tier[1]))
    }
    assert set(missing(policy, needed, "m")) == lacking


# --- what a block says ---------------------------------------------------------------------------------------


def test_a_block_says_what_is_missing_and_why() -> None:
    tier = ModelCapabilityTier(["big"], READ)
    policy = CapabilityPolicy(READ | WRITE | Capability.PROCESS_EXEC, denied=Capability.PROCESS, model_tier=tier)
    with pytest.raises(CapabilityDenied) as caught:
        check_capabilities(policy, "build", READ | WRITE | HTTP | Capability.PROCESS_EXEC, "big")
    block = caught.value
    assert block.message == (
        "build needs what it may not use: PROCESS_EXEC (denied to every call); NETWORK_HTTP (not granted); "
        "FILESYSTEM_WRITE (not granted to the model of this call)"
    )
    assert block.to_block_metadata() == {"missing": ["FILESYSTEM_WRITE", "NETWORK_HTTP", "PROCESS_EXEC"]}
    assert [hint.split("_")[0] for hint in block.hints] == [
        "Use a tool that needs no PROCESS",
        "Ask the operator to grant NETWORK",
        "Use a tool that does not need FILESYSTEM",
    ]


def test_a_block_of_a_call_that_names_no_model_says_so() -> None:
    policy = CapabilityPolicy(READ, model_tier=ModelCapabilityTier(["*"], READ))
    with pytest.raises(
        CapabilityDenied, match=r"FILESYSTEM_READ \(granted only to calls that name their model"
    ) as caught:
        check_capabilities(policy, "tool", READ, None)
    assert "AirlockContext(metadata={'model_id': …})" in caught.value.hints[0]


# --- the policy as a value -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: CapabilityPolicy("filesystem_read"), TypeError, "CapabilityPolicy.granted must be a Capability"),
        (lambda: CapabilityPolicy(READ, denied=4), TypeError, "CapabilityPolicy.denied must be a Capability, not 4"),
        (lambda: CapabilityPolicy(READ, mode="watch"), ValueError, "CapabilityPolicy.mode must be 'enforce' or"),
        (lambda: CapabilityPolicy(READ, model_tier=[]), ValueError, "must have at least one tier, or be None"),
        (lambda: CapabilityPolicy(READ, model_tier="x"), TypeError, "CapabilityPolicy.model_tier must be"),
        (lambda: CapabilityPolicy(READ, model_tier={"x": READ}), TypeError, "CapabilityPolicy.model_tier must be"),
        (lambda: ModelCapabilityTier("gpt-*", READ), TypeError, "models must be a list of globs"),
        (lambda: ModelCapabilityTier([], READ), ValueError, "models must be at least one glob"),
        (lambda: ModelCapabilityTier([""], READ), ValueError, "models must be at least one glob"),
        (lambda: ModelCapabilityTier([3], READ), ValueError, "models must be at least one glob"),
        (lambda: ModelCapabilityTier(["x"], None), TypeError, "ModelCapabilityTier.granted must be a Capability"),
    ],
)
def test_wrong_settings_are_refused_by_name(make: Callable[[], Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        make()


def test_canonical_is_the_same_for_every_way_to_write_it() -> None:
    tier = ModelCapabilityTier(["b", "a"], READ | WRITE)
    policy = CapabilityPolicy(Capability.DATABASE, model_tier=tier)
    same = CapabilityPolicy(
        Capability.DATABASE_WRITE | Capability.DATABASE_READ, NONE, [ModelCapabilityTier(("a", "b", "a"), WRITE | READ)]
    )
    assert policy.canonical() == same.canonical()
    assert policy.canonical() == {
        "granted": ["DATABASE_READ", "DATABASE_WRITE"],
        "denied": [],
        "model_tier": [{"models": ["a", "b"], "granted": ["FILESYSTEM_READ", "FILESYSTEM_WRITE"], "denied": []}],
        "mode": "enforce",
    }


def test_one_tier_equals_a_list_of_it() -> None:
    tier = ModelCapabilityTier(["x"], READ)
    assert CapabilityPolicy(READ, model_tier=tier) == CapabilityPolicy(READ, model_tier=[tier])
    assert hash(CapabilityPolicy(READ, model_tier=tier)) == hash(CapabilityPolicy(READ, model_tier=(tier,)))
    assert CapabilityPolicy(READ, model_tier=tier) != CapabilityPolicy(READ)


def test_a_list_that_is_changed_later_changes_no_policy() -> None:
    models, tiers = ["x"], [ModelCapabilityTier(["y"], NONE)]
    tier, policy = ModelCapabilityTier(models, READ), CapabilityPolicy(READ, model_tier=tiers)
    models.append("*")
    tiers.append(ModelCapabilityTier(["*"], READ))
    assert tier.models == ("x",)
    assert missing(policy, READ, "z") == ("FILESYSTEM_READ",)


def test_a_policy_travels_between_processes() -> None:
    policy = CapabilityPolicy(
        Capability.ALL, denied=WRITE, model_tier=ModelCapabilityTier(["x*"], Capability.FILESYSTEM)
    )
    again = pickle.loads(pickle.dumps(policy))
    assert again == policy
    assert missing(again, READ | WRITE, "xy") == ("FILESYSTEM_WRITE",)
