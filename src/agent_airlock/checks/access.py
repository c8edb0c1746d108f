"""Who may call what: tools by name pattern, roles, a named agent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import translate
from functools import lru_cache
from typing import Protocol

from ..exceptions import PolicyViolation


class AccessRules(Protocol):
    """What the check reads of a policy. Patterns are globs (``search_*``), case-sensitive."""

    @property
    def allowed_tools(self) -> Sequence[str]: ...
    @property
    def denied_tools(self) -> Sequence[str]: ...
    @property
    def allowed_roles(self) -> Sequence[str]: ...
    @property
    def require_agent_id(self) -> bool: ...
    @property
    def default_deny(self) -> bool: ...


def check_access(rules: AccessRules, tool: str, *, agent_id: str | None, roles: Sequence[str]) -> None:
    """Denied beats allowed; an empty ``allowed_tools`` allows every tool unless ``default_deny``.

    Raises:
        PolicyViolation: the call is not allowed.
    """
    denied, allowed, wanted = rules.denied_tools, rules.allowed_tools, rules.allowed_roles
    if denied and _matches_any(tool, denied):
        raise PolicyViolation(
            f"the policy denies the tool {tool!r}", hints=("Use another tool: this one is never allowed here.",)
        )
    if allowed:
        if not _matches_any(tool, allowed):
            raise PolicyViolation(
                f"the policy does not allow the tool {tool!r}",
                hints=(f"Allowed tools: {', '.join(sorted(allowed)[:20])}.",),
            )
    elif rules.default_deny:
        raise PolicyViolation(
            f"the policy denies what it does not name, and it does not name the tool {tool!r}",
            hints=("Ask the operator to add it to allowed_tools.",),
        )
    if rules.require_agent_id and not agent_id:
        raise PolicyViolation(
            f"the policy lets only a named agent call {tool!r}",
            hints=("Call it inside `with AirlockContext(agent_id=…):`.",),
        )
    if wanted and not any(role in wanted for role in roles):
        raise PolicyViolation(
            f"none of the caller's roles may call {tool!r}",
            hints=(f"Roles that may: {', '.join(sorted(wanted)[:20])}.",),
        )


def _matches_any(tool: str, patterns: Sequence[str]) -> bool:
    return any(tool == pattern or _compiled(pattern).match(tool) for pattern in patterns)


@lru_cache(maxsize=4_096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))
