"""Who an agent is, apart from any call: what ``SecurityPolicy.check`` asks about, and what a context is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .context import AirlockContext
from .freezing import FrozenDict


@dataclass(frozen=True, slots=True)
class AgentIdentity:
    """An agent's id and roles, and where it belongs. Immutable: what it was when it was made.

    Args:
        agent_id: its name; not empty.
        roles: what ``SecurityPolicy(allowed_roles=…)`` asks for.
        session_id, workspace_id, team_id, user_id: what the scopes of a budget count against.
        metadata: tags, and what you like; not shown in a repr.

    Raises:
        TypeError, ValueError: naming the field.
    """

    agent_id: str
    roles: Sequence[str] = ()
    session_id: str | None = None
    workspace_id: str | None = None
    team_id: str | None = None
    user_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.agent_id, str) or not self.agent_id:
            raise ValueError(f"AgentIdentity.agent_id must be a text that is not empty, not {self.agent_id!r}")
        try:
            self.context()
        except TypeError as error:
            raise TypeError(str(error).replace("AirlockContext", "AgentIdentity")) from None
        object.__setattr__(self, "roles", tuple(self.roles))
        object.__setattr__(self, "metadata", FrozenDict(self.metadata))

    def context(self) -> AirlockContext[Any]:
        """A context to enter, for calls of this agent: ``with identity.context(): …``"""
        return AirlockContext(
            self.agent_id,
            self.session_id,
            self.workspace_id,
            self.team_id,
            self.user_id,
            roles=self.roles,
            metadata=self.metadata,
        )
