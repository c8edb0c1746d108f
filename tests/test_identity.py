"""An agent's identity: what a policy is asked about, and what a context is made of."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from agent_airlock import AgentIdentity, Airlock, MemoryLedger, PolicyViolation, SecurityPolicy, get_current_context


def test_a_policy_is_asked_about_an_identity() -> None:
    policy = SecurityPolicy(allowed_roles=["ops"], require_agent_id=True)
    policy.check("deploy", AgentIdentity("a", roles=["ops"]))
    with pytest.raises(PolicyViolation, match="roles"):
        policy.check("deploy", AgentIdentity("a", roles=["dev"]))


def test_calls_in_its_context_are_its_own() -> None:
    identity = AgentIdentity(
        "a", ["ops"], session_id="s", team_id="t", user_id="u", workspace_id="w", metadata={"x": 1}
    )

    @Airlock(policy=SecurityPolicy(allowed_roles=["ops"], require_agent_id=True), ledger=MemoryLedger())
    def deploy() -> Any:
        return get_current_context()

    with identity.context():
        context: Any = deploy()
    assert (context.agent_id, context.session_id, context.team_id, context.user_id, context.workspace_id) == (
        "a", "s", "t", "u", "w",
    )  # fmt: skip
    assert (tuple(context.roles), context.metadata) == (("ops",), {"x": 1})
    blocked: Any = deploy()
    assert blocked["block_reason"] == "policy_violation"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"agent_id": ""}, "AgentIdentity.agent_id must be a text that is not empty"),
        ({"agent_id": None}, "AgentIdentity.agent_id"),
        ({"agent_id": "a", "roles": "ops"}, "AgentIdentity.roles must be a sequence of texts"),
        ({"agent_id": "a", "roles": [5]}, "AgentIdentity.roles"),
        ({"agent_id": "a", "session_id": 5}, "AgentIdentity.session_id must be text or None"),
        ({"agent_id": "a", "metadata": 5}, "AgentIdentity.metadata must be a mapping"),
    ],
)
def test_a_wrong_one_is_refused_with_its_field(options: dict[str, Any], said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        AgentIdentity(**options)


def test_it_cannot_change_and_keeps_its_metadata_to_itself() -> None:
    roles, metadata = ["ops"], {"token": "hunter2"}
    identity = AgentIdentity("a", roles, metadata=metadata)
    roles.append("admin")
    metadata["token"] = "other"
    assert (tuple(identity.roles), identity.metadata["token"]) == (("ops",), "hunter2")
    with pytest.raises(AttributeError):
        identity.agent_id = "b"  # type: ignore[misc]
    assert "hunter2" not in repr(identity)
    assert pickle.loads(pickle.dumps(identity)) == identity
