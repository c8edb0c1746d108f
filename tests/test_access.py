"""Who may call what: globs of tool names, roles, a named agent."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from agent_airlock import Airlock, AirlockContext, PolicyViolation, SecurityPolicy


def allowed(policy: SecurityPolicy, tool: str, agent: Any = None) -> bool:
    try:
        policy.check(tool, agent)
    except PolicyViolation:
        return False
    return True


def test_a_policy_that_names_nothing_allows_everything() -> None:
    assert allowed(SecurityPolicy(), "anything")


def test_a_policy_that_denies_by_default_allows_only_what_it_names() -> None:
    assert not allowed(SecurityPolicy(default_deny=True), "anything")
    policy = SecurityPolicy(allowed_tools=["search"], default_deny=True)
    assert allowed(policy, "search")
    assert not allowed(policy, "delete")


def test_an_allow_list_allows_nothing_else_even_without_default_deny() -> None:
    assert not allowed(SecurityPolicy(allowed_tools=["search"]), "delete")


@pytest.mark.parametrize(
    ("pattern", "tool", "matches"),
    [
        ("search", "search", True),
        ("search", "search_web", False),
        ("search", "Search", False),
        ("search_*", "search_web", True),
        ("search_*", "search_", True),
        ("search_*", "research_web", False),
        ("*", "anything", True),
        ("read_?", "read_a", True),
        ("read_?", "read_ab", False),
        ("read_[ab]", "read_b", True),
        ("read_[!ab]", "read_b", False),
        ("a.b", "aXb", False),
        ("read_[ab]", "read_[ab]", True),
        ("search", "search\n", False),
        ("search*", "search\nx", True),
        ("", "search", False),
        ("(", "x", False),
        ("<lambda>", "<lambda>", True),
    ],
)
def test_patterns_are_globs_of_the_whole_name(pattern: str, tool: str, matches: bool) -> None:
    assert allowed(SecurityPolicy(allowed_tools=[pattern]), tool) is matches
    assert allowed(SecurityPolicy(denied_tools=[pattern]), tool) is not matches


def test_denied_beats_allowed() -> None:
    policy = SecurityPolicy(allowed_tools=["*"], denied_tools=["delete_*"])
    assert allowed(policy, "search")
    assert not allowed(policy, "delete_all")


def test_a_named_agent_may_be_required() -> None:
    policy = SecurityPolicy(require_agent_id=True)
    assert allowed(policy, "search", "crawler")
    assert allowed(policy, "search", AirlockContext(agent_id="crawler"))
    for nobody in (None, "", AirlockContext(), AirlockContext(agent_id="")):
        assert not allowed(policy, "search", nobody)


@pytest.mark.parametrize(("roles", "may"), [((), False), (["guest"], False), (["guest", "admin"], True)])
def test_one_of_the_roles_is_enough(roles: Any, may: bool) -> None:
    policy = SecurityPolicy(allowed_roles=["admin", "owner"])
    assert allowed(policy, "search", AirlockContext(roles=roles)) is may
    assert not allowed(policy, "search", "admin"), "an agent's id is no role"


def test_roles_are_names_not_patterns() -> None:
    assert not allowed(SecurityPolicy(allowed_roles=["*"]), "search", AirlockContext(roles=["admin"]))


# --- in the gate -----------------------------------------------------------------------------------------


@Airlock(policy=SecurityPolicy(allowed_roles=["admin"]))
def delete(wrapper: object = None) -> str:
    return "deleted"


DELETE: Any = delete


def test_roles_come_from_the_current_context_not_from_one_in_the_arguments() -> None:
    admin = AirlockContext(roles=["admin"])
    assert DELETE(admin)["block_reason"] == "policy_violation"
    with admin:
        assert DELETE() == "deleted"
        with AirlockContext(roles=["guest"]):
            assert DELETE(admin)["block_reason"] == "policy_violation"
        assert DELETE(AirlockContext(roles=[])) == "deleted"


def test_another_thread_does_not_have_the_role() -> None:
    answers: list[Any] = []
    with AirlockContext(roles=["admin"]):
        thread = threading.Thread(target=lambda: answers.append(DELETE()))
        thread.start()
        thread.join()
    assert answers[0]["block_reason"] == "policy_violation"


def test_a_change_of_an_unfrozen_policy_is_in_force_at_the_next_call() -> None:
    policy = SecurityPolicy()
    gated: Any = Airlock(policy=policy)(lambda: "ran")
    assert gated() == "ran"
    policy.denied_tools = ["*"]
    assert gated()["block_reason"] == "policy_violation"


@pytest.mark.parametrize(
    ("policy", "hint"),
    [
        (SecurityPolicy(denied_tools=["tool"]), "Use another tool: this one is never allowed here."),
        (SecurityPolicy(allowed_tools=["search", "ask"]), "Allowed tools: ask, search."),
        (SecurityPolicy(default_deny=True), "Ask the operator to add it to allowed_tools."),
        (SecurityPolicy(require_agent_id=True), "Call it inside `with AirlockContext(agent_id=…):`."),
        (SecurityPolicy(allowed_roles=["admin"]), "Roles that may: admin."),
    ],
)
def test_a_block_says_what_would_pass(policy: SecurityPolicy, hint: str) -> None:
    @Airlock(policy=policy)
    def tool() -> None: ...

    answer: Any = tool()
    assert answer["fix_hints"] == [hint]
    assert hint in answer["error"]
    assert answer["error"].startswith("AIRLOCK_BLOCK: tool may not run: ")
