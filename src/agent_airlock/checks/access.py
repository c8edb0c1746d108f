"""Who may call what, and when: tools by name pattern, roles, a named agent, hours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import translate
from functools import lru_cache
from typing import Protocol

from ..exceptions import PolicyViolation
from .hours import TimeWindow


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
    @property
    def time_restrictions(self) -> Mapping[str, TimeWindow | str]: ...


def check_access(rules: AccessRules, tool: str, *, agent_id: str | None, roles: Sequence[str], now_ms: int) -> None:
    """Denied beats allowed; an empty ``allowed_tools`` allows every tool unless ``default_deny``.

    Of the hours, every pattern that matches the tool must be open at ``now_ms``.

    Raises:
        PolicyViolation: the call is not allowed.
    """
    check_tool(rules, tool)
    check_caller(rules, tool, agent_id, roles)
    for pattern, window in rules.time_restrictions.items():
        if matches(tool, pattern):
            check_hours(tool, window, now_ms)


def check_tool(rules: AccessRules, tool: str) -> None:
    """Whether anybody may call the tool.

    Raises:
        PolicyViolation: nobody may.
    """
    denied, allowed = rules.denied_tools, rules.allowed_tools
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


def check_caller(rules: AccessRules, tool: str, agent_id: str | None, roles: Sequence[str]) -> None:
    """Whether this caller may call a tool that somebody may.

    Raises:
        PolicyViolation: it is not named, or has none of the roles.
    """
    if rules.require_agent_id and not agent_id:
        raise PolicyViolation(
            f"the policy lets only a named agent call {tool!r}",
            hints=("Call it inside `with AirlockContext(agent_id=…):`.",),
        )
    wanted = rules.allowed_roles
    if wanted and not any(role in wanted for role in roles):
        raise PolicyViolation(
            f"none of the caller's roles may call {tool!r}",
            hints=(f"Roles that may: {', '.join(sorted(wanted)[:20])}.",),
        )


def check_hours(tool: str, window: TimeWindow | str, now_ms: int) -> None:
    """Whether the tool may be called now.

    Raises:
        PolicyViolation: not at this hour.
    """
    opened = TimeWindow.parse(window) if isinstance(window, str) else window
    if not opened.holds(now_ms):
        raise PolicyViolation(
            f"the policy allows {tool!r} only from {opened} a day", hints=(f"Call it between {opened}.",)
        )


def matches(tool: str, pattern: str) -> bool:
    """Whether a glob of a policy means this tool."""
    return tool == pattern or _compiled(pattern).match(tool) is not None


def _matches_any(tool: str, patterns: Sequence[str]) -> bool:
    return any(matches(tool, pattern) for pattern in patterns)


@lru_cache(maxsize=4_096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))
